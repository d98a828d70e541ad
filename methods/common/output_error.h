#pragma once

#include <functional>
#include <string>

#include "core/calibrate/method.h"

namespace wkvq {

/// What record_output_errors() compares beside the quantized block.
struct OutputErrorQuestion {
  const BlockWeights& full;   ///< the model's own block
  const BlockWeights& exact;  ///< as the method left it before rounding
  /// The grid of a linear; 16 bits: not rounded, nothing is recorded.
  std::function<QuantSpec(const std::string& linear)> spec_of;
  bool nearest = false;  ///< the weights were rounded to nearest
};

/// Records what rounding does to the output of every linear, in its group
/// /statistics/block_NN/<linear>, over the rows of a sample of the calibration text:
///   output_error = |X W'^T - X W^T| / |X W^T|  (Frobenius, without bias),
/// and output_error_nearest, the same of the model's own weight rounded to nearest; output_rows is
/// the number of rows of X. Where context.text is defined, text_error, text_error_nearest and
/// text_rows say the same of text that the method did not see. Outputs that the method scales by
/// row are measured in the units of the model's. Inputs come through the block before rounding and
/// are not quantized. Does nothing unless context.measure_errors.
void record_output_errors(const BlockContext& context, Recorder& recorder,
                          const OutputErrorQuestion& question);

}  // namespace wkvq
