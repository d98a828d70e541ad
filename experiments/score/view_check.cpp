#include "experiments/score/view_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "methods/registry.h"

namespace wkvq {

namespace {

int64_t longest_sequence(const PreparedEvaluation& prepared) {
  int64_t longest = 0;
  for (const Request& request : prepared.requests())
    longest = std::max(longest,
                       static_cast<int64_t>(request.tokens.size()) + request.generation.max_tokens);
  return longest;
}

/// Whether a query of a sequence of `length` tokens sees anything quantized.
bool quantizes(const KvViewOptions& view, int64_t length) {
  if (length <= KvMask(view, true).prefill()) return false;
  return std::ranges::any_of(std::array{true, false}, [&](bool is_key) {
    const KvMask mask(view, is_key);
    return mask.bound(length - 1) > mask.sinks();
  });
}

/// What is wrong with the view; empty: nothing.
std::string complaint(const RunConfig& config, const PreparedEvaluation& prepared) {
  const KvViewOptions& view = prepared.view;
  const int64_t longest = longest_sequence(prepared);
  if (config.method->kv().identity() || view.mode == ViewMode::kNone || quantizes(view, longest))
    return {};
  const char* part = view.prefill >= longest ? "prefill"
                     : view.sinks >= longest ? "sinks"
                                             : "window";
  const int64_t value = view.prefill >= longest ? view.prefill
                        : view.sinks >= longest ? view.sinks
                                                : view.window;
  return fmt::format(
      "{}: view.{} {} leaves nothing of its longest sequence, {} tokens, to be quantized; expected "
      "less, or longer text",
      prepared.where(), part, value, longest);
}

bool by_default(const RunConfig& config, const PreparedEvaluation& prepared) {
  return !prepared.entry->own_view && make_method(config.method_name)->kv().view == prepared.view;
}

}  // namespace

void check_view(const RunConfig& config, const PreparedEvaluation& prepared) {
  const std::string text = complaint(config, prepared);
  if (!text.empty() && !by_default(config, prepared)) config_error("{}", text);
}

std::vector<std::string> view_warnings(const RunConfig& config,
                                       const std::vector<PreparedEvaluation>& prepared) {
  std::vector<std::string> warnings;
  for (const PreparedEvaluation& one : prepared) {
    const std::string text = complaint(config, one);
    if (!text.empty()) warnings.push_back(text);
  }
  return warnings;
}

}  // namespace wkvq
