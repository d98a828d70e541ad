#pragma once

#include <cstdint>

/// Decoding of one block of each quantized type of GGUF (layouts: ggml-common.h of ggml): `data` is
/// the block as stored, `out` gets its 32 or, for the types K, 256 values. Scales are float16 and
/// all arithmetic is float32, one rounding an operation.
namespace wkvq::gguf {

void decode_q4_0(const uint8_t* data, float* out);
void decode_q4_1(const uint8_t* data, float* out);
void decode_q5_0(const uint8_t* data, float* out);
void decode_q5_1(const uint8_t* data, float* out);
void decode_q8_0(const uint8_t* data, float* out);
void decode_iq4_nl(const uint8_t* data, float* out);

void decode_q2_k(const uint8_t* data, float* out);
void decode_q3_k(const uint8_t* data, float* out);
void decode_q4_k(const uint8_t* data, float* out);
void decode_q5_k(const uint8_t* data, float* out);
void decode_q6_k(const uint8_t* data, float* out);

}  // namespace wkvq::gguf
