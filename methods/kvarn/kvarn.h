#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// KVarN (arXiv 2606.03458): tiles of 128 tokens whose rows and columns are brought to one standard
/// deviation (core/kv/tile_balance.h) after a Hadamard rotation, keys then in 4 bits a channel,
/// values in 2 bits a token; the first tile and the one that is being filled stay exact. No
/// calibration.
class KVarN final : public WeightMethod {
 public:
  KVarN();
  std::string summary() const override;
};

}  // namespace wkvq
