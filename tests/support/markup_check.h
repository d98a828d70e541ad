#pragma once

#include "tests/support/catch.h"

namespace wkvq::test {

/// What is wrong with `xml` as XML: tags that do not nest, or a bare & or < in text. Empty where
/// nothing is. Attributes must be quoted by "; comments and CDATA are not known.
inline std::string xml_error(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = 0; at < xml.size(); ++at) {
    if (xml[at] == '&') {
      const size_t end = xml.find(';', at);
      const std::string name = xml.substr(at + 1, end - at - 1);
      if (name != "amp" && name != "lt" && name != "gt" && name != "quot" && name != "#39")
        return "bare & before '" + xml.substr(at, 20) + "'";
    }
    if (xml[at] != '<') continue;
    size_t end = at + 1;
    for (bool quoted = false; end < xml.size() && (quoted || xml[end] != '>'); ++end)
      if (xml[end] == '"') quoted = !quoted;
    if (end == xml.size()) return "a tag does not end: " + xml.substr(at, 40);
    const std::string tag = xml.substr(at + 1, end - at - 1);
    at = end;
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1)) return "</" + tag.substr(1) + "> alone";
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(tag.substr(0, tag.find_first_of(" \n")));
      if (!std::isalpha(static_cast<unsigned char>(tag.empty() ? ' ' : tag[0])))
        return "no tag: <" + tag;
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> does not end";
}

}  // namespace wkvq::test
