#pragma once

#include <map>

#include "core/base/recorder.h"

namespace wkvq::test {

/// Keeps what is recorded, by "<group>/<name>".
class MemoryRecorder final : public Recorder {
 public:
  void attribute(const std::string& group, const std::string& name,
                 const AttributeValue& value) override {
    attributes.insert_or_assign(group + "/" + name, value);
  }
  void column(const std::string& group, const std::string& name, const Column& values) override {
    columns.insert_or_assign(group + "/" + name, values);
  }
  void array(const std::string& group, const std::string& name, const Array& values) override {
    arrays.insert_or_assign(group + "/" + name, values);
  }

  std::map<std::string, AttributeValue> attributes;
  std::map<std::string, Column> columns;
  std::map<std::string, Array> arrays;
};

}  // namespace wkvq::test
