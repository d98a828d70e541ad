#include "datasets/tokenizers/pre_tokenizer.h"

#include <fmt/ranges.h>

#include <array>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "datasets/tokenizers/normalizer.h"
#include "datasets/tokenizers/pattern.h"

namespace wkvq {
namespace {

constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// What becomes of a match and of the text between matches.
enum class Behavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };
constexpr std::array kBehaviors = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext",
                                   "Contiguous"};

/// Whether two neighbours, each a match or not, stay in one piece.
bool joined(Behavior behavior, bool left_match, bool right_match) {
  switch (behavior) {
    case Behavior::kMergedWithPrevious:
      return right_match && !left_match;
    case Behavior::kMergedWithNext:
      return left_match && !right_match;
    case Behavior::kContiguous:
      return left_match == right_match;
    default:
      return false;
  }
}

class SplitStep : public PreTokenizerStep {
 public:
  SplitStep(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void split(std::string_view text, bool at_start, const PieceSink& sink) const override {
    size_t begin = 0;  // of the piece that is still open
    size_t seen = 0;
    bool last_match = false;
    const auto close = [&](size_t end) {
      const bool removed = behavior_ == Behavior::kRemoved && last_match;
      if (end > begin && !removed) sink(text.substr(begin, end - begin), at_start && begin == 0);
      begin = end;
    };
    const auto visit = [&](size_t end, bool match) {
      if (end == seen) return;
      if (seen > 0 && !joined(behavior_, last_match, match)) close(seen);
      last_match = match;
      seen = end;
    };
    pattern_.each_match(text, [&](size_t match_begin, size_t match_end) {
      visit(match_begin, invert_);
      visit(match_end, !invert_);
    });
    visit(text.size(), invert_);
    close(text.size());
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

/// A space in front of every stretch that has none.
class PrefixSpaceStep : public PreTokenizerStep {
 public:
  void split(std::string_view text, bool at_start, const PieceSink& sink) const override {
    if (text.empty() || text.front() == ' ') return sink(text, at_start);
    sink(std::string(" ").append(text), at_start);
  }
};

/// SentencePiece's way: spaces become a visible character, which also goes in front.
class MetaspaceStep : public PreTokenizerStep {
 public:
  explicit MetaspaceStep(const JsonNode& node)
      : mark_(read_inserted(node, "replacement")), space_(Pattern::literal(" ", node.where())) {
    if (mark_.empty()) config_error("{}: 'replacement' is empty", node.where());
    // Files from before `prepend_scheme` have `add_prefix_space` instead.
    const bool prefix = node.flag_or("add_prefix_space", true);
    const std::string scheme = node.text_or("prepend_scheme", prefix ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      config_error("{}: prepend_scheme '{}' is not supported; known: always, first, never",
                   node.where(), shown(scheme));
    }
    always_ = scheme == "always" && prefix;
    first_ = scheme == "first" && prefix;
    if (node.flag_or("split", true)) {
      words_.emplace(Pattern::literal(mark_, node.where()), Behavior::kMergedWithNext, false);
    }
  }

  void split(std::string_view text, bool at_start, const PieceSink& sink) const override {
    std::string marked = replace_all(text, space_, mark_);
    const bool prepend = (always_ || (first_ && at_start)) && !marked.empty();
    if (prepend && !marked.starts_with(mark_)) marked.insert(0, mark_);
    words_ ? words_->split(marked, at_start, sink) : sink(marked, at_start);
  }

 private:
  std::string mark_;
  Pattern space_;
  bool always_ = false;
  bool first_ = false;
  std::optional<SplitStep> words_;
};

Behavior read_behavior(const JsonNode& node) {
  const std::string name = node.text("behavior");
  for (size_t i = 0; i < kBehaviors.size(); ++i) {
    if (name == kBehaviors[i]) return static_cast<Behavior>(i);
  }
  config_error("{}: behavior '{}' is not supported; known: {}", node.where(), shown(name),
               fmt::join(kBehaviors, ", "));
}

}  // namespace

PreTokenizer::PreTokenizer(const JsonNode& node) {
  add(node, 0);
}

void PreTokenizer::add(const JsonNode& node, int depth) {
  const std::string type = node.text("type");
  // Each step calls the next one for its pieces.
  if (steps_.size() >= kMaxSteps) config_error("{}: more than {} steps", node.where(), kMaxSteps);
  if (byte_level_) config_error("{}: '{}' after ByteLevel is not supported", node.where(), type);
  if (type == "Sequence" && depth < kMaxSequenceDepth) {
    const JsonNode parts = node.at("pretokenizers");
    for (size_t i = 0; i < parts.size(); ++i) add(parts.at(i), depth + 1);
  } else if (type == "ByteLevel") {
    add_byte_level(node);
  } else if (type == "Digits") {
    const bool individual = node.flag_or("individual_digits", false);
    steps_.push_back(std::make_unique<SplitStep>(
        Pattern::regex("\\p{N}", node.where()),
        individual ? Behavior::kIsolated : Behavior::kContiguous, false));
  } else if (type == "Metaspace") {
    steps_.push_back(std::make_unique<MetaspaceStep>(node));
  } else if (type == "Split") {
    steps_.push_back(std::make_unique<SplitStep>(read_pattern(node), read_behavior(node),
                                                 node.flag_or("invert", false)));
  } else {
    node.unsupported(type, "ByteLevel, Digits, Metaspace, Sequence, Split");
  }
}

void PreTokenizer::add_byte_level(const JsonNode& node) {
  if (node.flag_or("add_prefix_space", true)) {
    steps_.push_back(std::make_unique<PrefixSpaceStep>());
  }
  if (node.flag_or("use_regex", true)) {
    steps_.push_back(std::make_unique<SplitStep>(Pattern::regex(kGpt2Pattern, node.where()),
                                                 Behavior::kIsolated, false));
  }
  byte_level_ = true;
}

void PreTokenizer::split(std::string_view text, bool at_start, const PieceSink& sink) const {
  run(0, text, at_start, sink);
}

void PreTokenizer::run(size_t step, std::string_view text, bool at_start,
                       const PieceSink& sink) const {
  if (step == steps_.size()) return sink(text, at_start);
  if (step + 1 == steps_.size()) return steps_[step]->split(text, at_start, sink);
  steps_[step]->split(text, at_start, [&](std::string_view piece, bool piece_at_start) {
    run(step + 1, piece, piece_at_start, sink);
  });
}

}  // namespace wkvq
