#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/options/options.h"
#include "core/base/yaml/yaml_node.h"

namespace wkvq {

/// Strict reading of one map. Several objects may read from it, each the keys it knows; finish()
/// then refuses every key that nobody asked for, naming the nearest one that somebody did:
///
///     YamlMap map(node, "method");
///     auto method = map.located("name", [&] { return make_method(map.take_string("name")); });
///     map.read(*method);
///     map.finish();
///
/// Absent keys leave their fields as they are. Refers to `node`, which must outlive it.
/// Every error is a ConfigError "sweep.yaml:12:5: method.weight: unknown key 'bit'; ...".
class YamlMap final : public OptionVisitor {
 public:
  /// `path` is how messages name the map; empty for the whole document. Throws where `node` is not
  /// a map.
  YamlMap(const YamlNode& node, std::string path);

  /// Reads the keys of `options` (anything with `visit(OptionVisitor&)`).
  template <class T>
  void read(T& options) {
    options.visit(*this);
  }

  /// The value of `key`, which is known from now on; null where absent.
  const YamlNode* find(const std::string& key);
  /// As find(), an error where absent.
  const YamlNode& take(const std::string& key);
  std::string take_string(const std::string& key);
  YamlMap take_map(const std::string& key);
  /// The items of a list of maps, e.g. `evaluate`; their paths are "evaluate.0", "evaluate.1".
  std::vector<YamlMap> take_maps(const std::string& key);

  /// Runs `action`; a ConfigError from it is thrown again with the place and path of `key` in
  /// front.
  template <class Action>
  auto located(const std::string& key, Action&& action) {
    try {
      return action();
    } catch (const ConfigError& error) {
      reject_located(key, error.what());
    }
  }

  void reject(const char* name, const std::string& why) override;
  Purpose purpose() const override { return Purpose::kRead; }
  /// Throws where a key of the map was not asked for.
  void finish() const;

  const std::string& path() const { return frames_.front().path; }

 protected:
  void field(const char* name, bool& value, const char* help) override;
  void field(const char* name, int64_t& value, const char* help) override;
  void field(const char* name, double& value, const char* help) override;
  void field(const char* name, std::string& value, const char* help) override;
  void field(const char* name, std::vector<int64_t>& value, const char* help) override;
  void choice_field(const char* name, int& index, const std::vector<std::string>& names,
                    const char* help) override;
  bool begin_struct(const char* name, const char* help) override;
  void end_struct() override;
  std::optional<size_t> begin_list(const char* name, size_t count) override;
  void begin_item(size_t index) override;
  void end_list() override { frames_.pop_back(); }

 private:
  struct Frame {
    const YamlNode* node;  ///< null inside a nested part that the file does not name
    std::string path;
    std::vector<std::string> known;
  };

  [[noreturn]] void reject_located(const std::string& key, const std::string& why) const;
  [[noreturn]] void wrong_type(const std::string& key, const char* expected) const;
  std::string path_of(const std::string& key) const;
  static void require_known(const Frame& frame);

  std::vector<Frame> frames_;
};

/// Reads the whole of `node` into `options`: nothing else may be in it.
template <class T>
void read_options(const YamlNode& node, const std::string& path, T& options) {
  YamlMap map(node, path);
  map.read(options);
  map.finish();
}

}  // namespace wkvq
