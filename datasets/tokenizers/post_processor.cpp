#include "datasets/tokenizers/post_processor.h"

#include <string>

#include "core/base/error.h"
#include "datasets/tokenizers/bpe.h"

namespace wkvq {
namespace {

void append_special(const JsonNode& node, const std::string& name, std::vector<int32_t>& ids) {
  const JsonNode tokens = node.at("special_tokens").at(name.c_str()).at("ids");
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int64_t id = tokens.at(i).integer();
    if (id < 0 || id >= kTokenIdLimit) {
      config_error("{}: given {}, expected 0 to {}", tokens.at(i).where(), id, kTokenIdLimit - 1);
    }
    ids.push_back(static_cast<int32_t>(id));
  }
}

PostProcessor read_template(const JsonNode& node) {
  PostProcessor inner;
  const JsonNode single = node.at("single");
  bool seen_text = false;
  for (size_t i = 0; i < single.size(); ++i) {
    const JsonNode part = single.at(i);
    if (part.has("SpecialToken")) {
      const std::string name = part.at("SpecialToken").text("id");
      append_special(node, name, seen_text ? inner.suffix : inner.prefix);
    } else if (!seen_text && part.at("Sequence").text("id") == "A") {
      seen_text = true;
    } else {
      config_error("{}: expected special tokens and the sequence A, once", part.where());
    }
  }
  if (!seen_text) config_error("{}: lacks the sequence A", single.where());
  return inner;
}

void add(const JsonNode& node, int depth, PostProcessor& out) {
  const std::string type = node.text("type");
  if (type == "Sequence" && depth < kMaxSequenceDepth) {
    const JsonNode parts = node.at("processors");
    for (size_t i = 0; i < parts.size(); ++i) add(parts.at(i), depth + 1, out);
  } else if (type == "TemplateProcessing") {
    // A later template goes around an earlier one.
    const PostProcessor outer = read_template(node);
    out.prefix.insert(out.prefix.begin(), outer.prefix.begin(), outer.prefix.end());
    out.suffix.insert(out.suffix.end(), outer.suffix.begin(), outer.suffix.end());
  } else if (type != "ByteLevel") {
    node.unsupported(type, "ByteLevel, Sequence, TemplateProcessing");
  }
}

}  // namespace

PostProcessor read_post_processor(const JsonNode& node) {
  PostProcessor out;
  add(node, 0, out);
  return out;
}

}  // namespace wkvq
