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
  trains_ = coming && coming.mapped().trains;
  first_ = false;
  label_ = fmt::format("[{}/{}] {}", place + 1, runs_, id);
  for (const ProgressSink& sink : sinks_) bars_.emplace_back(label_, Progress::Shares{}, sink);
}

void SweepProgress::reach(double share, const std::string& note) {
  const std::string left = remaining(share);
  for (Progress& bar : bars_) bar.reach(share, note, left);
}

void SweepProgress::end(const std::string& outcome) {
  const double seconds = elapsed();
  for (Progress& bar : bars_)
    bar.finish(fmt::format("{}  {}  {}", label_, clock_text(seconds), outcome));
  bars_.clear();
  done_[trains_].work += work_;
  done_[trains_].seconds += seconds;
}

std::string SweepProgress::remaining(double share) const {
  std::array<Done, 2> known = done_;
  std::array<double, 2> left{};
  known[trains_].work += share * work_;
  known[trains_].seconds += elapsed();
  for (const auto& [place, work] : coming_) left[work.trains] += work.total(false);
  const double done = known[0].work + known[1].work;
  if (left[0] + left[1] == 0 || done == 0) return {};
  left[trains_] += (1 - share) * work_;
  double seconds = 0;
  for (const size_t kind : {0, 1}) {
    // Until one of a kind has begun, it is taken to be as fast as the other kind.
    const Done& measured = known[kind].work > 0 ? known[kind] : known[1 - kind];
    seconds += left[kind] * measured.seconds / measured.work;
  }
  return fmt::format("sweep: {:.0f} %, about {} left", 100 * done / (done + left[0] + left[1]),
                     clock_text(seconds));
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
