#pragma once

#include <string>
#include <vector>

#include "core/base/options/options.h"
#include "core/base/yaml/yaml_node.h"

namespace wkvq {

/// Builds the resolved configuration: every option in the order of declaration with the value in
/// force. Parts that are no options (the name of a method, the list of evaluations) are added by
/// text() and begin_*():
///
///     YamlWriter writer;
///     writer.begin_map("method");
///     writer.text("name", "rtn");
///     writer.write(*method);
///     writer.end();
///     block_text(writer.root());
class YamlWriter final : public OptionVisitor {
 public:
  YamlWriter() { open_.push_back({"", YamlNode::map()}); }

  template <class T>
  void write(T& options) {
    options.visit(*this);
  }

  void text(const std::string& name, const std::string& value);
  /// A map below the current one, until end().
  void begin_map(const std::string& name) { open_.push_back({name, YamlNode::map()}); }
  /// A list below the current map, until end(); its items are maps from begin_item() to end().
  void begin_list(const std::string& name) { open_.push_back({name, YamlNode::list()}); }
  void begin_item() { open_.push_back({"", YamlNode::map()}); }
  void end();

  /// Complete once everything begun has ended.
  const YamlNode& root() const { return open_.front().node; }

  void reject(const char* /*name*/, const std::string& /*why*/) override {}
  Purpose purpose() const override { return Purpose::kWrite; }

 protected:
  void field(const char* name, bool& value, const char* help) override;
  void field(const char* name, int64_t& value, const char* help) override;
  void field(const char* name, double& value, const char* help) override;
  void field(const char* name, std::string& value, const char* help) override;
  void field(const char* name, std::vector<int64_t>& value, const char* help) override;
  void choice_field(const char* name, int& index, const std::vector<std::string>& names,
                    const char* help) override;
  bool begin_struct(const char* name, const char* help) override;
  void end_struct() override { end(); }
  std::optional<size_t> begin_list(const char* name, size_t count) override;
  void begin_item(size_t /*index*/) override { begin_item(); }
  void end_list() override { end(); }

 private:
  struct Open {
    std::string name;
    YamlNode node;
  };

  void put(const std::string& name, YamlNode value);

  std::vector<Open> open_;
};

/// Help as aligned lines `name  type  default  help`, nested options indented below their struct.
class HelpWriter final : public OptionVisitor {
 public:
  template <class T>
  void write(T& options) {
    options.visit(*this);
  }

  std::string text() const;

  void reject(const char* /*name*/, const std::string& /*why*/) override {}
  Purpose purpose() const override { return Purpose::kExplain; }

 protected:
  void field(const char* name, bool& value, const char* help) override;
  void field(const char* name, int64_t& value, const char* help) override;
  void field(const char* name, double& value, const char* help) override;
  void field(const char* name, std::string& value, const char* help) override;
  void field(const char* name, std::vector<int64_t>& value, const char* help) override;
  void choice_field(const char* name, int& index, const std::vector<std::string>& names,
                    const char* help) override;
  bool begin_struct(const char* name, const char* help) override;
  void end_struct() override { indent_.resize(indent_.size() - 2); }

 private:
  struct Line {
    std::string name, type, value, help;
  };

  std::string indent_;
  std::vector<Line> lines_;
};

}  // namespace wkvq
