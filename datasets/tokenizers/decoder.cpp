#include "datasets/tokenizers/decoder.h"

#include <fmt/ranges.h>

#include <charconv>
#include <numeric>
#include <optional>

#include "core/base/error.h"
#include "datasets/tokenizers/normalizer.h"
#include "datasets/tokenizers/pattern.h"
#include "datasets/tokenizers/unicode.h"

namespace wkvq {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

void fuse(std::vector<std::string>& tokens) {
  if (tokens.empty()) return;
  tokens = {fmt::format("{}", fmt::join(tokens, ""))};
}

void byte_level(std::vector<std::string>& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += byte_level_bytes(token);
  tokens = {repair_utf8(bytes)};
}

/// The byte that a token like "<0x0A>" stands for.
std::optional<char> byte_of(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(&token[3], &token[5], value, 16);
  if (error != std::errc() || end != &token[5]) return std::nullopt;
  return static_cast<char>(value);
}

void byte_fallback(std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto flush = [&] {
    if (is_valid_utf8(bytes)) {
      if (!bytes.empty()) out.push_back(bytes);
    } else {
      out.insert(out.end(), bytes.size(), kReplacement);
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

/// Takes up to `start` (`stop`) repetitions of `content` from the front (back) of each token.
void strip(std::vector<std::string>& tokens, const std::string& content, int64_t start,
           int64_t stop) {
  for (std::string& token : tokens) {
    std::string_view rest = token;
    for (int64_t i = 0; i < start && rest.starts_with(content); ++i) {
      rest.remove_prefix(content.size());
    }
    for (int64_t i = 0; i < stop && rest.ends_with(content); ++i) {
      rest.remove_suffix(content.size());
    }
    token = std::string(rest);
  }
}

std::function<void(std::vector<std::string>&)> strip_step(const JsonNode& node) {
  const int64_t start = node.at("start").integer();
  const int64_t stop = node.at("stop").integer();
  const std::string content = node.text("content");
  if (content.empty()) config_error("{}: 'content' is empty", node.where());
  return [=](std::vector<std::string>& tokens) { strip(tokens, content, start, stop); };
}

std::function<void(std::vector<std::string>&)> metaspace_step(const JsonNode& node) {
  const Pattern mark = Pattern::literal(node.text("replacement"), node.where());
  const bool prefix =
      node.text_or("prepend_scheme", "always") != "never" && node.flag_or("add_prefix_space", true);
  return [=](std::vector<std::string>& tokens) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = replace_all(tokens[i], mark, i == 0 && prefix ? "" : " ");
    }
  };
}

}  // namespace

Decoder::Decoder(const JsonNode& node) : given_(true) {
  add(node, 0);
}

void Decoder::add(const JsonNode& node, int depth) {
  const std::string type = node.text("type");
  if (steps_.size() >= kMaxSteps) config_error("{}: more than {} steps", node.where(), kMaxSteps);
  if (type == "Sequence" && depth < kMaxSequenceDepth) {
    const JsonNode parts = node.at("decoders");
    for (size_t i = 0; i < parts.size(); ++i) add(parts.at(i), depth + 1);
  } else if (type == "ByteLevel") {
    steps_.emplace_back(byte_level);
  } else if (type == "ByteFallback") {
    steps_.emplace_back(byte_fallback);
  } else if (type == "Fuse") {
    steps_.emplace_back(fuse);
  } else if (type == "Replace") {
    steps_.emplace_back(
        [pattern = read_pattern(node), content = read_inserted(node, "content")](Tokens& tokens) {
          for (std::string& token : tokens) token = replace_all(token, pattern, content);
        });
  } else if (type == "Strip") {
    steps_.push_back(strip_step(node));
  } else if (type == "Metaspace") {
    steps_.push_back(metaspace_step(node));
  } else {
    node.unsupported(type, "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip");
  }
}

std::string Decoder::apply(std::vector<std::string> tokens) const {
  const auto bytes = [&] {
    return std::accumulate(tokens.begin(), tokens.end(), size_t{0},
                           [](size_t sum, const std::string& token) { return sum + token.size(); });
  };
  const size_t before = bytes();
  for (const auto& step : steps_) {
    step(tokens);
    require_growth(before, bytes());
  }
  return fmt::format("{}", fmt::join(tokens, given_ ? "" : " "));
}

}  // namespace wkvq
