#include "datasets/tokenizers/normalizer.h"

#include "core/base/error.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {
namespace {

// Published files make three bytes of a space.
constexpr size_t kMaxGrowth = 16;
constexpr size_t kFreeGrowth = 4096;

}  // namespace

Pattern read_pattern(const JsonNode& node) {
  const JsonNode pattern = node.at("pattern");
  if (pattern.has("String")) return Pattern::literal(pattern.text("String"), pattern.where());
  if (pattern.has("Regex")) return Pattern::regex(pattern.text("Regex"), pattern.where());
  config_error("{}: expected a member 'String' or 'Regex'", pattern.where());
}

std::string replace_all(std::string_view text, const Pattern& pattern, const std::string& content) {
  std::string out;
  size_t copied = 0;
  pattern.each_match(text, [&](size_t begin, size_t end) {
    out.append(text.substr(copied, begin - copied)).append(content);
    copied = end;
    require_growth(text.size(), out.size());
  });
  return out.append(text.substr(copied));
}

void require_growth(size_t before, size_t after) {
  if (after > kMaxGrowth * before + kFreeGrowth)
    config_error("tokenizer: its replacements make {} bytes of a text of {}, expected at most {}",
                 after, before, kMaxGrowth * before + kFreeGrowth);
}

std::string read_inserted(const JsonNode& node, const char* key) {
  std::string text = node.text(key);
  if (text.size() > kMaxInserted)
    config_error("{}: '{}' has {} bytes, expected at most {}", node.where(), key, text.size(),
                 kMaxInserted);
  return text;
}

Normalizer::Normalizer(const JsonNode& node) {
  add(node, 0);
}

void Normalizer::add(const JsonNode& node, int depth) {
  const std::string type = node.text("type");
  if (steps_.size() >= kMaxSteps) config_error("{}: more than {} steps", node.where(), kMaxSteps);
  if (type == "Sequence" && depth < kMaxSequenceDepth) {
    const JsonNode parts = node.at("normalizers");
    for (size_t i = 0; i < parts.size(); ++i) add(parts.at(i), depth + 1);
  } else if (type == "NFC") {
    steps_.emplace_back([](const std::string& text) { return to_nfc(text); });
  } else if (type == "Prepend") {
    steps_.emplace_back([prefix = read_inserted(node, "prepend")](const std::string& text) {
      return text.empty() ? text : prefix + text;
    });
  } else if (type == "Replace") {
    steps_.emplace_back([pattern = read_pattern(node),
                         content = read_inserted(node, "content")](const std::string& text) {
      return replace_all(text, pattern, content);
    });
  } else {
    node.unsupported(type, "NFC, Prepend, Replace, Sequence");
  }
}

std::string Normalizer::apply(std::string_view text) const {
  std::string out(text);
  for (const auto& step : steps_) {
    out = step(std::move(out));
    require_growth(text.size(), out.size());
  }
  return out;
}

}  // namespace wkvq
