#pragma once

#include <cstdint>
#include <string>

#include "datasets/corpora/dataset.h"

namespace wkvq {

/// Text sampled from the full-precision model at temperature 1: calibration and evaluation data for
/// any model, with no download. With x ~ P (the full-precision model) and Q the quantized one,
/// E[log P(x_t | x_<t) - log Q(x_t | x_<t)] = E[KL(P || Q) at t], so on this data set the mean NLL
/// of the quantized model minus that of full precision estimates the KL divergence.
class SelfDataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  bool is_sampled() const override { return true; }
  Corpus load(const DatasetContext& context) const override;

 private:
  int64_t samples_ = 32;
  int64_t length_ = 512;
  int64_t seed_ = 0;
};

}  // namespace wkvq
