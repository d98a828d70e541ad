#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

struct YamlEntry;

/// A YAML value that knows where it stands. A plain value: copies share nothing, so runs of a sweep
/// cannot change each other (yaml-cpp's nodes are references and lose their places when cloned).
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string text;                           ///< scalars: what is written, without quotes
  bool quoted = false;                        ///< scalars: a string whatever it looks like
  std::vector<YamlNode> items;                ///< lists
  std::vector<YamlEntry> entries;             ///< maps: distinct keys in the order of the file
  std::shared_ptr<const std::string> source;  ///< name of the file or of the command-line option
  int64_t line = 0;                           ///< from 1; 0: the source has no lines
  int64_t column = 0;

  static YamlNode map();
  static YamlNode list();
  static YamlNode scalar(std::string text, bool quoted);

  bool is_map() const { return kind == Kind::kMap; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_null() const { return kind == Kind::kNull; }

  /// The entry of a map; null where there is none.
  const YamlEntry* find(std::string_view key) const;
  YamlEntry* find(std::string_view key);

  /// Unquoted scalars of that type only: 4 is an integer, 4.0 and "4" and 0x4 are not; true and
  /// false are the booleans; numbers are finite.
  std::optional<int64_t> integer() const;
  std::optional<double> number() const;
  std::optional<bool> boolean() const;

  /// "sweep.yaml:12:5", or the source alone where it has no lines.
  std::string where() const;
  /// What a message says was given: 'text', the quoted text "4", a map, a list, nothing.
  std::string describe() const;
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

/// The one document in `text`, aliases expanded. ConfigError with its place for what is not YAML or
/// not allowed: duplicate keys, `<<`, tags, keys that are not scalars, several documents, bytes
/// that are not text; nesting deeper than 64 and more than 100 000 values are refused.
YamlNode parse_yaml(std::string_view text, const std::string& source);

/// parse_yaml() for a piece of the command line: places in it are `source` alone.
YamlNode parse_yaml_argument(std::string_view text, const std::string& source);

/// parse_yaml() of a file of at most 1 MiB. ConfigError where it is missing or cannot be read.
YamlNode read_yaml(const std::filesystem::path& path);

}  // namespace wkvq
