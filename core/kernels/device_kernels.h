#pragma once

// What the kernels work on is declared, not included: a change of a layout concerns those who lay
// something out.
namespace wkvq {

template <class T>
struct QuantBuffers;
template <class T>
struct QuantGradient;
struct QuantPlan;
struct DeviceAppend;
struct DeviceAttention;
struct DeviceDecode;
struct PackedProduct;

/// Kernels that work on memory of a device. They are queued on `stream` (cudaStream_t) and run in
/// order; nothing is waited for.
struct DeviceKernels {
  const char* name;
  void (*quantize)(const QuantBuffers<float>&, const QuantPlan&, void* stream);
  void (*quantize_wide)(const QuantBuffers<double>&, const QuantPlan&, void* stream);
  void (*differentiate)(const QuantGradient<float>&, const QuantPlan&, void* stream);
  void (*differentiate_wide)(const QuantGradient<double>&, const QuantPlan&, void* stream);
  void (*append)(const DeviceAppend&, void* stream);
  void (*attend)(const DeviceDecode&, void* stream);
  /// All of y; the sums of the problem are not looked at.
  void (*multiply)(const PackedProduct&, void* stream);
  /// Decoded rows: out [out, in].
  void (*decode)(const PackedProduct&, float* out, void* stream);
  void (*attend_tiles)(const DeviceAttention&, void* stream);
  /// The same of half types on tensor cores; dim is a multiple of 16.
  void (*attend_half)(const DeviceAttention&, void* stream);
  void (*attend_bfloat16)(const DeviceAttention&, void* stream);
};

// The CUDA ones; defined in builds with CUDA.
void quantize_cuda(const QuantBuffers<float>&, const QuantPlan&, void* stream);
void quantize_wide_cuda(const QuantBuffers<double>&, const QuantPlan&, void* stream);
void differentiate_cuda(const QuantGradient<float>&, const QuantPlan&, void* stream);
void differentiate_wide_cuda(const QuantGradient<double>&, const QuantPlan&, void* stream);
void quantize_append_cuda(const DeviceAppend&, void* stream);
void decode_attention_cuda(const DeviceDecode&, void* stream);
void packed_linear_cuda(const PackedProduct&, void* stream);
void decode_weight_cuda(const PackedProduct&, float* out, void* stream);
void masked_attention_cuda(const DeviceAttention&, void* stream);
void tensor_attention_half_cuda(const DeviceAttention&, void* stream);
void tensor_attention_bfloat16_cuda(const DeviceAttention&, void* stream);

}  // namespace wkvq
