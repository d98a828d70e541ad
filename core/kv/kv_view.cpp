#include "core/kv/kv_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/options/option_limits.h"

namespace wkvq {

void KvViewOptions::visit(OptionVisitor& v) {
  const ViewMode before = mode;
  v.choice(
      "mode", mode, {"none", "all", "past", "kivi", "tiles"},
      "what a query sees quantized: nothing, all, the past, the past beyond KIVI's windows, or "
      "tiles of tokens that are complete");
  // Windows and sinks that a method has by default belong to its mode.
  if (mode != before) *this = {.mode = mode};
  v("window", window,
    "past: last tokens kept in full precision; kivi: residual length; tiles: tokens of one");
  v("sinks", sinks, "past, tiles: first tokens kept in full precision");
  v("prefill", prefill, "past: queries before this position attend in full precision");
  if (window < 1) v.reject("window", fmt::format("{}; expected at least 1", window));
  if (sinks < 0) v.reject("sinks", fmt::format("{}; expected 0 or more", sinks));
  if (prefill < 0) v.reject("prefill", fmt::format("{}; expected 0 or more", prefill));
  check_at_most(v, "window", window, kMostTokens);
  check_at_most(v, "sinks", sinks, kMostTokens);
  check_at_most(v, "prefill", prefill, kMostTokens);
  const bool past = mode == ViewMode::kPast;
  const bool tiles = mode == ViewMode::kTiles;
  if (!past && !tiles && sinks != 0) v.reject("sinks", "only modes past and tiles keep sinks");
  if (tiles && sinks % window != 0)
    v.reject("sinks", fmt::format("{}; mode tiles expects whole tiles of {}", sinks, window));
  if (!past && prefill != 0) v.reject("prefill", "only mode past knows a prefill");
  if (!past && !tiles && mode != ViewMode::kKivi && window != 1)
    v.reject("window", "only modes past, kivi and tiles have a window");
}

std::string KvViewOptions::name() const {
  switch (mode) {
    case ViewMode::kNone:
      return "none";
    case ViewMode::kAll:
      return "all";
    case ViewMode::kKivi:
      return fmt::format("kivi-w{}", window);
    case ViewMode::kPast:
    case ViewMode::kTiles:
      break;
  }
  std::string name = mode == ViewMode::kPast ? "past" : "tiles";
  if (window != 1) name += fmt::format("-w{}", window);
  if (sinks != 0) name += fmt::format("-s{}", sinks);
  if (prefill != 0) name += fmt::format("-p{}", prefill);
  return name;
}

int64_t KvMask::bound(int64_t t) const {
  switch (options_.mode) {
    case ViewMode::kNone:
      return 0;
    case ViewMode::kAll:
      return t + 1;
    case ViewMode::kPast:
      return std::max<int64_t>(0, t - options_.window + 1);
    case ViewMode::kTiles:
      return options_.window * (t / options_.window);
    case ViewMode::kKivi:
      break;
  }
  // Keys are encoded `window` tokens at a time once complete, values one by one as they leave the
  // window.
  return is_key_ ? options_.window * (t / options_.window)
                 : std::max<int64_t>(0, t - options_.window);
}

}  // namespace wkvq
