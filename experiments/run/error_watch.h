#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/recorder.h"

namespace wkvq {

/// Passes on what a run records and notes the errors that the method leaves in the linears
/// (methods/common/output_error.h) and the cache in the heads of attention, so that harm is seen
/// before the first perplexity.
class ErrorWatch final : public Recorder {
 public:
  explicit ErrorWatch(Recorder& recorder) : recorder_(recorder) {}

  void attribute(const std::string& group, const std::string& name,
                 const AttributeValue& value) override;
  void column(const std::string& group, const std::string& name, const Column& values) override {
    recorder_.column(group, name, values);
  }
  void array(const std::string& group, const std::string& name, const Array& values) override;

  /// For the progress line: the mean error of the last block, beside that of rounding to nearest;
  /// empty before there is one.
  std::string note() const;
  /// A sentence where linears have a larger error than rounding to nearest leaves: on the
  /// calibration text, and on text that the method did not see. One where the output of a head has
  /// a far larger error than that of the others.
  std::vector<std::string> warnings() const;

 private:
  struct Place {
    double error = 0, nearest = 0;
  };
  using Places = std::map<std::string, Place>;  ///< by "block_NN/<linear>"

  Recorder& recorder_;
  Places calibration_, text_;
  std::map<std::string, double> heads_;  ///< errors of outputs, by "block_NN, head H"
};

}  // namespace wkvq
