#include "core/base/yaml/yaml_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace wkvq {
namespace {

bool is_reserved_word(const std::string& text) {
  static const std::vector<std::string> words = {"null", "true", "false", "yes", "no",
                                                 "on",   "off",  "y",     "n"};
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return std::find(words.begin(), words.end(), lower) != words.end();
}

/// True where every reader takes the bare `text` for that string, also inside [] and {}.
bool is_plain_word(const std::string& text) {
  if (text.empty() || is_reserved_word(text)) return false;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_inner = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/' || c == '-';
  };
  const bool starts_well = is_letter(text[0]) || text[0] == '_' || text[0] == '/' ||
                           text.starts_with("./") || text.starts_with("../");
  return starts_well && std::all_of(text.begin(), text.end(), is_inner);
}

std::string quoted_text(const std::string& text) {
  std::string out = "\"";
  for (char letter : text) {
    if (letter == '"' || letter == '\\') {
      out += fmt::format("\\{}", letter);
    } else if (letter == '\n') {
      out += "\\n";
    } else if (letter == '\t') {
      out += "\\t";
    } else if (letter == '\r') {
      out += "\\r";
    } else {
      out += letter;
    }
  }
  return out + '"';
}

std::string scalar_text(const YamlNode& node) {
  if (node.is_null()) return "null";
  const bool typed = node.integer() || node.number() || node.boolean();
  return typed || is_plain_word(node.text) ? node.text : quoted_text(node.text);
}

bool is_flat(const YamlNode& node) {
  if (node.is_map()) return node.entries.empty();
  return std::none_of(node.items.begin(), node.items.end(),
                      [](const YamlNode& item) { return item.is_map() || item.is_list(); });
}

void write_block(const YamlNode& node, const std::string& indent, std::string& out) {
  // A list item's first line follows its dash.
  std::string lead;
  for (const auto& entry : node.entries) {
    out += lead + scalar_text(entry.key) + ':';
    lead = indent;
    if (is_flat(entry.value)) {
      out += ' ' + flow_text(entry.value) + '\n';
    } else {
      out += '\n' + indent + "  ";
      write_block(entry.value, indent + "  ", out);
    }
  }
  for (const auto& item : node.items) {
    out += lead + "- ";
    lead = indent;
    if (is_flat(item)) {
      out += flow_text(item) + '\n';
    } else {
      write_block(item, indent + "  ", out);
    }
  }
}

using Rows = std::vector<std::pair<std::string, AttributeValue>>;

AttributeValue attribute_of(const YamlNode& node) {
  if (node.is_scalar()) {
    if (const auto integer = node.integer()) return *integer;
    if (const auto number = node.number()) return *number;
    if (const auto boolean = node.boolean()) return int64_t{*boolean};
    return node.text;
  }
  return flow_text(node);
}

void flatten_into(const YamlNode& node, const std::string& path, Rows& rows) {
  const std::string prefix = path.empty() ? "" : path + '.';
  if (is_flat(node)) {
    rows.emplace_back(path, attribute_of(node));
    return;
  }
  for (const auto& entry : node.entries) flatten_into(entry.value, prefix + entry.key.text, rows);
  for (size_t i = 0; i < node.items.size(); ++i) {
    flatten_into(node.items[i], prefix + std::to_string(i), rows);
  }
}

}  // namespace

std::string block_text(const YamlNode& node) {
  if (is_flat(node)) return flow_text(node) + '\n';
  std::string out;
  write_block(node, "", out);
  return out;
}

std::string flow_text(const YamlNode& node) {
  std::vector<std::string> parts;
  if (node.is_map()) {
    for (const auto& entry : node.entries) {
      parts.push_back(fmt::format("{}: {}", scalar_text(entry.key), flow_text(entry.value)));
    }
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  if (node.is_list()) {
    for (const auto& item : node.items) parts.push_back(flow_text(item));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  return scalar_text(node);
}

std::string number_text(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  std::string text = fmt::format("{}", value);
  if (text.find('.') != std::string::npos) return text;
  // Readers of YAML 1.1 take 1e-05 for a word.
  const size_t exponent = std::min(text.find('e'), text.size());
  return text.insert(exponent, ".0");
}

std::vector<std::pair<std::string, AttributeValue>> flatten(const YamlNode& node) {
  Rows rows;
  flatten_into(node, "", rows);
  return rows;
}

}  // namespace wkvq
