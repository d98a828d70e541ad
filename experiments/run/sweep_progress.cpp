#include "experiments/run/sweep_progress.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "experiments/score/cost.h"

namespace wkvq {

void SweepProgress::expect(size_t place, RunWork work) {
  coming_.emplace(place, std::move(work));
}

void SweepProgress::begin(size_t place, const std::string& id) {
  // A run that another process had taken over may come a second time.
  const auto coming = coming_.extract(place);
  work_ = coming ? coming.mapped().total(first_) : 0;
  first_ = false;
  label_ = fmt::format("[{}/{}] {}", place + 1, runs_, id);
  progress_.emplace(label_, Progress::Shares{}, sink_);
}

void SweepProgress::reach(double share, const std::string& note) {
  const std::string left = remaining(share);
  progress_->reach(share, note.empty() || left.empty() ? note + left : note + ", " + left);
}

void SweepProgress::end(const std::string& outcome) {
  const double seconds = progress_->elapsed();
  progress_->finish(fmt::format("{}  {}  {}", label_, clock_text(seconds), outcome));
  progress_.reset();
  done_work_ += work_;
  done_seconds_ += seconds;
}

std::string SweepProgress::remaining(double share) const {
  double left = 0;
  for (const auto& [place, work] : coming_) left += work.total(false);
  const double now = share * work_;
  if (left == 0 || done_work_ + now == 0) return {};
  const double seconds_each = (done_seconds_ + progress_->elapsed()) / (done_work_ + now);
  left += work_ - now;
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
