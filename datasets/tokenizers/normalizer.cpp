#include "datasets/tokenizers/normalizer.h"

#include "core/base/error.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {

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
  });
  return out.append(text.substr(copied));
}

Normalizer::Normalizer(const JsonNode& node) {
  add(node, 0);
}

void Normalizer::add(const JsonNode& node, int depth) {
  const std::string type = node.text("type");
  if (type == "Sequence" && depth < kMaxSequenceDepth) {
    const JsonNode parts = node.at("normalizers");
    for (size_t i = 0; i < parts.size(); ++i) add(parts.at(i), depth + 1);
  } else if (type == "NFC") {
    steps_.emplace_back([](const std::string& text) { return to_nfc(text); });
  } else if (type == "Prepend") {
    steps_.emplace_back([prefix = node.text("prepend")](const std::string& text) {
      return text.empty() ? text : prefix + text;
    });
  } else if (type == "Replace") {
    steps_.emplace_back(
        [pattern = read_pattern(node), content = node.text("content")](const std::string& text) {
          return replace_all(text, pattern, content);
        });
  } else {
    node.unsupported(type, "NFC, Prepend, Replace, Sequence");
  }
}

std::string Normalizer::apply(std::string_view text) const {
  std::string out(text);
  for (const auto& step : steps_) out = step(std::move(out));
  return out;
}

}  // namespace wkvq
