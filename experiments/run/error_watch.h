#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/recorder.h"

namespace wkvq {

/// Passes on what a run records and notes the errors that the method leaves in the linears
/// (methods/common/output_error.h), so that harm is seen before the first perplexity.
class ErrorWatch final : public Recorder {
 public:
  explicit ErrorWatch(Recorder& recorder) : recorder_(recorder) {}

  void attribute(const std::string& group, const std::string& name,
                 const AttributeValue& value) override;
  void column(const std::string& group, const std::string& name, const Column& values) override {
    recorder_.column(group, name, values);
  }
  void array(const std::string& group, const std::string& name, const Array& values) override {
    recorder_.array(group, name, values);
  }

  /// For the progress line: the mean error of the last block, beside that of rounding to nearest;
  /// empty before there is one.
  std::string note() const;
  /// A sentence where linears have a larger error than rounding to nearest leaves: on the
  /// calibration text, and on text that the method did not see.
  std::vector<std::string> warnings() const;

 private:
  struct Place {
    double error = 0, nearest = 0;
  };
  using Places = std::map<std::string, Place>;  ///< by "block_NN/<linear>"

  Recorder& recorder_;
  Places calibration_, text_;
};

}  // namespace wkvq
