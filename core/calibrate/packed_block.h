#pragma once

#include "core/calibrate/method.h"

namespace wkvq {

/// `block` with a PackedWeight in place of the weight of every linear that has codes. ConfigError
/// where they cannot be packed, see check_packable.
QuantizedBlock packed_block(QuantizedBlock block);

/// Takes the codes away from the linears; the weights stay.
void drop_codes(BlockWeights& weights);

/// Bytes of all that the block holds: weights or codes, biases, bases, norms.
int64_t held_bytes(const BlockWeights& weights);

}  // namespace wkvq
