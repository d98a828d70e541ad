#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/yaml/yaml_node.h"
#include "datasets/tasks/choice/text_filters.h"

namespace wkvq {

/// Text with fields of a record in it: "Question: {goal|strip}\nAnswer:". A field is a path
/// ({choices.text.0}: dots go into objects, numbers into lists), filters follow behind bars, {{ and
/// }} stand for braces. A field that is a whole number is written in digits.
class TextTemplate {
 public:
  /// ConfigError with the node's file:line:column, and the character of the text, where it is not a
  /// template.
  explicit TextTemplate(const YamlNode& node);

  /// ConfigError opens with `place` (the record's file:line).
  std::string render(const nlohmann::json& record, const std::string& place) const;

  /// ConfigError unless it is one field and nothing else.
  void require_field() const;
  /// For such a template, where the record has a list: its filtered texts.
  std::vector<std::string> render_list(const nlohmann::json& record,
                                       const std::string& place) const;

 private:
  struct Piece {
    std::string text;               ///< as it is, where `path` is empty
    std::vector<std::string> path;  ///< of the field
    std::string name;               ///< the path as written
    std::vector<TextFilter> filters;
  };

  Piece field_piece(const std::string& written, size_t at) const;
  const nlohmann::json& find(const Piece& piece, const nlohmann::json& record,
                             const std::string& place) const;
  std::string text_of(const Piece& piece, const nlohmann::json& value,
                      const std::string& place) const;

  std::string where_;
  std::vector<Piece> pieces_;
};

/// Texts of a record: a list of templates, or one template whose field is a list.
class TextListTemplate {
 public:
  explicit TextListTemplate(const YamlNode& node);
  std::vector<std::string> render(const nlohmann::json& record, const std::string& place) const;

 private:
  std::vector<TextTemplate> templates_;
  bool is_field_ = false;
};

}  // namespace wkvq
