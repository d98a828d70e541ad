#pragma once

#include "core/base/recorder.h"

namespace wkvq {

/// For methods whose statistics nobody keeps.
class SilentRecorder final : public Recorder {
 public:
  void attribute(const std::string&, const std::string&, const AttributeValue&) override {}
  void column(const std::string&, const std::string&, const Column&) override {}
  void array(const std::string&, const std::string&, const Array&) override {}
};

}  // namespace wkvq
