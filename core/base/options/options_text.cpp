#include "core/base/options/options_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/yaml/yaml_text.h"

namespace wkvq {
namespace {

YamlNode list_of(const std::vector<int64_t>& values) {
  YamlNode list = YamlNode::list();
  for (int64_t value : values) {
    list.items.push_back(YamlNode::scalar(std::to_string(value), false));
  }
  return list;
}

const char* name_of(bool value) {
  return value ? "true" : "false";
}

}  // namespace

void YamlWriter::put(const std::string& name, YamlNode value) {
  YamlNode& node = open_.back().node;
  if (node.is_list()) {
    node.items.push_back(std::move(value));
  } else {
    node.entries.push_back({YamlNode::scalar(name, true), std::move(value)});
  }
}

void YamlWriter::text(const std::string& name, const std::string& value) {
  put(name, YamlNode::scalar(value, true));
}

void YamlWriter::end() {
  Open closed = std::move(open_.back());
  open_.pop_back();
  put(closed.name, std::move(closed.node));
}

void YamlWriter::field(const char* name, bool& value, const char* /*help*/) {
  put(name, YamlNode::scalar(name_of(value), false));
}

void YamlWriter::field(const char* name, int64_t& value, const char* /*help*/) {
  put(name, YamlNode::scalar(std::to_string(value), false));
}

void YamlWriter::field(const char* name, double& value, const char* /*help*/) {
  put(name, YamlNode::scalar(number_text(value), false));
}

void YamlWriter::field(const char* name, std::string& value, const char* /*help*/) {
  text(name, value);
}

void YamlWriter::field(const char* name, std::vector<int64_t>& value, const char* /*help*/) {
  put(name, list_of(value));
}

void YamlWriter::choice_field(const char* name, int& index, const std::vector<std::string>& names,
                              const char* /*help*/) {
  text(name, names.at(static_cast<size_t>(index)));
}

bool YamlWriter::begin_struct(const char* name, const char* /*help*/) {
  begin_map(name);
  return true;
}

std::optional<size_t> YamlWriter::begin_list(const char* name, size_t count) {
  begin_list(name);
  return count;
}

void HelpWriter::field(const char* name, bool& value, const char* help) {
  lines_.push_back({indent_ + name, "bool", name_of(value), help});
}

void HelpWriter::field(const char* name, int64_t& value, const char* help) {
  lines_.push_back({indent_ + name, "integer", std::to_string(value), help});
}

void HelpWriter::field(const char* name, double& value, const char* help) {
  lines_.push_back({indent_ + name, "number", number_text(value), help});
}

void HelpWriter::field(const char* name, std::string& value, const char* help) {
  lines_.push_back({indent_ + name, "text", flow_text(YamlNode::scalar(value, true)), help});
}

void HelpWriter::field(const char* name, std::vector<int64_t>& value, const char* help) {
  lines_.push_back({indent_ + name, "integers", flow_text(list_of(value)), help});
}

void HelpWriter::choice_field(const char* name, int& index, const std::vector<std::string>& names,
                              const char* help) {
  // A column as wide as all names of a long table would push the help off the screen.
  constexpr size_t kMostNames = 8;
  const std::string type = names.size() > kMostNames ? fmt::format("one of {} names", names.size())
                                                     : fmt::format("{}", fmt::join(names, "|"));
  lines_.push_back({indent_ + name, type, names.at(static_cast<size_t>(index)), help});
}

bool HelpWriter::begin_struct(const char* name, const char* help) {
  lines_.push_back({indent_ + name + ':', "", "", help});
  indent_ += "  ";
  return true;
}

std::string HelpWriter::text() const {
  size_t name = 0, type = 0, value = 0;
  for (const auto& line : lines_) {
    name = std::max(name, line.name.size());
    type = std::max(type, line.type.size());
    value = std::max(value, line.value.size());
  }
  std::string out;
  for (const auto& line : lines_) {
    out += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", line.name, name, line.type, type, line.value,
                       value, line.help);
  }
  return out;
}

}  // namespace wkvq
