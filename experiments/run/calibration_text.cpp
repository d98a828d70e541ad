#include "experiments/run/calibration_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "datasets/corpora/variety.h"
#include "experiments/score/view_check.h"

namespace wkvq {

namespace {

/// Of the text that the method reads; nothing where it reads none.
std::optional<Variety> variety(const RunConfig& config, Session& session) {
  if (config.method->calibration_needs() == CalibrationNeeds::kNone) return std::nullopt;
  return variety_of(calibration_windows(config, session));
}

}  // namespace

std::vector<std::vector<int32_t>> calibration_windows(const RunConfig& config, Session& session) {
  if (!config.calibration) return {};
  const CalibrationOptions& options = *config.calibration;
  const Corpus& corpus = session.corpus(config.model, options.data);
  return choose_windows(corpus, options.length, options.samples, options.seed);
}

std::vector<Overlap> calibration_overlap(const RunConfig& config, Session& session,
                                         const std::vector<PreparedEvaluation>& prepared) {
  if (config.method->calibration_needs() == CalibrationNeeds::kNone) return {};
  const auto windows = calibration_windows(config, session);
  TextPieces pieces(windows);
  std::vector<Overlap> overlaps;
  for (const PreparedEvaluation& one : prepared) {
    Overlap& overlap = overlaps.emplace_back();
    for (const Request& request : one.requests()) pieces.add(request.tokens, overlap);
  }
  return overlaps;
}

std::vector<std::string> overlap_warnings(const RunConfig& config, Session& session) {
  const auto prepared = prepare_evaluations(config, session);
  const auto overlaps = calibration_overlap(config, session, prepared);
  std::vector<std::string> warnings;
  for (size_t i = 0; i < overlaps.size(); ++i) {
    const Overlap& overlap = overlaps[i];
    if (overlap.shared_tokens == 0) continue;
    warnings.push_back(fmt::format(
        "evaluate.{} ({} on {}): {:.3g} % of its tokens, in {} of {} sequences, are calibration "
        "text too; its numbers look better than on new text",
        i, prepared[i].entry->task_name, prepared[i].entry->label(), 100 * overlap.share(),
        overlap.shared_sequences, overlap.sequences));
  }
  return warnings;
}

std::vector<std::string> run_warnings(const RunConfig& config, Session& session) {
  std::vector<std::string> warnings = overlap_warnings(config, session);
  const std::optional<Variety> text = variety(config, session);
  if (text && text->poor())
    warnings.push_back(fmt::format(
        "calibration: text without variety: {} different tokens among {}, {:.3g} % of its runs of "
        "{} tokens occur before; expected text like that which the model will meet "
        "(docs/methods.md)",
        text->distinct, text->tokens, 100 * text->repeated_share(), Variety::kPiece));
  const ModelConfig& model = session.model(config.model).checkpoint->config();
  std::ranges::move(config.method->warnings(model, text ? text->tokens : 0),
                    std::back_inserter(warnings));
  std::ranges::move(view_warnings(config, prepare_evaluations(config, session)),
                    std::back_inserter(warnings));
  return warnings;
}

void record_calibration_text(const RunConfig& config, Session& session, Recorder& recorder) {
  const std::optional<Variety> text = variety(config, session);
  if (!text) return;
  recorder.attribute("/calibration", "tokens", text->tokens);
  recorder.attribute("/calibration", "distinct_tokens", text->distinct);
  recorder.attribute("/calibration", "repeated_share", text->repeated_share());
}

void record_warnings(Recorder& recorder, const std::vector<std::string>& warnings) {
  if (!warnings.empty()) recorder.column("/warnings", "text", warnings);
}

}  // namespace wkvq
