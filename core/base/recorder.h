#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace wkvq {

/// A scalar fact of a run; becomes an HDF5 attribute (strings: variable-length UTF-8).
using AttributeValue = std::variant<int64_t, double, std::string>;

/// One column of raw rows; becomes a 1-D HDF5 dataset. Columns of one group have equal length.
using Column = std::variant<std::vector<float>, std::vector<double>, std::vector<int64_t>,
                            std::vector<std::string>>;

/// A dense array, row-major: shape and values (learned parameters, per-channel statistics).
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> values;
};

/// Where methods, statistics and tasks write what they found. Paths are those of the run file, e.g.
/// "/statistics/block_00/key" (docs/results.md lists them); groups appear when first written to.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void attribute(const std::string& group, const std::string& name,
                         const AttributeValue& value) = 0;
  virtual void column(const std::string& group, const std::string& name, const Column& values) = 0;
  virtual void array(const std::string& group, const std::string& name, const Array& values) = 0;
};

}  // namespace wkvq
