#include "experiments/sweep_progress.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "experiments/cost.h"

namespace wkvq {

void SweepProgress::expect(size_t place, RunWork work) {
  coming_.push_back({place, std::move(work)});
}

void SweepProgress::begin(size_t place, const std::string& id) {
  while (next_ < coming_.size() && coming_[next_].place < place) ++next_;
  if (next_ == coming_.size()) coming_.push_back({place, {}});
  label_ = fmt::format("[{}/{}] {}", place + 1, runs_, id);
  progress_.emplace(label_, Progress::Shares{}, sink_);
}

void SweepProgress::reach(double share) {
  progress_->reach(share, remaining(share));
}

void SweepProgress::end(const std::string& outcome) {
  const double seconds = progress_->elapsed();
  progress_->finish(fmt::format("{}  {}  {}", label_, clock_text(seconds), outcome));
  progress_.reset();
  done_work_ += work_of(next_);
  done_seconds_ += seconds;
  ++next_;
}

std::string SweepProgress::remaining(double share) const {
  double left = 0;
  for (size_t i = next_ + 1; i < coming_.size(); ++i) left += work_of(i);
  const double now = share * work_of(next_);
  if (left == 0 || done_work_ + now == 0) return {};
  const double seconds_each = (done_seconds_ + progress_->elapsed()) / (done_work_ + now);
  left += work_of(next_) - now;
  return fmt::format("sweep: about {} left", clock_text(left * seconds_each));
}

std::string model_line(const ModelOptions& options, Session& session) {
  const ModelConfig& m = session.model(options).checkpoint->config();
  const double tables =
      static_cast<double>(m.vocab_size * m.hidden_size * (m.tie_embeddings ? 1 : 2));
  const double parameters = tables + static_cast<double>(m.layers * weight_elements(m));
  const std::string size = parameters < 1e9 ? fmt::format("{:.3g} M", parameters / 1e6)
                                            : fmt::format("{:.3g} B", parameters / 1e9);
  const std::vector<std::string> dtypes = {"float32", "float64", "bfloat16", "float16"};
  return fmt::format("{}: {} blocks, {} parameters, {} on {}, {} threads", options.path, m.layers,
                     size, dtypes[static_cast<size_t>(options.dtype)], options.device,
                     at::get_num_threads());
}

}  // namespace wkvq
