#include <array>

#include "core/base/checkpoint/safetensors.h"
#include "tests/support/model_folder.h"
#include "tests/support/two_paths.h"

using namespace wkvq;

namespace {

/// A committed tiny model with other weights: normal, of the scale of a trained model's.
at::Tensor random_weight(const TensorEntry& entry, const at::Generator& generator) {
  const at::Tensor x = at::randn(entry.shape, generator, at::device(at::kCPU).dtype(at::kDouble));
  const bool is_norm = entry.shape.size() == 1;
  return (is_norm ? 1 + 0.2 * x : 1.5 * x / std::sqrt(static_cast<double>(entry.shape.back())))
      .to(at::kHalf);
}

void randomize(test::ModelFolder& folder, uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  std::vector<at::Tensor> kept;
  folder.rewrite([&](std::vector<TensorEntry>& tensors) {
    for (TensorEntry& entry : tensors) {
      kept.push_back(random_weight(entry, generator));
      entry.dtype = "F16";
      entry.data = static_cast<const std::byte*>(kept.back().const_data_ptr());
      entry.bytes = kept.back().nbytes();
    }
  });
}

}  // namespace

// How often one pass and decoding differ, and by how much: docs/design.md holds what it printed.
// Not part of the suite: test_methods '[survey]', some minutes.
TEST_CASE("survey: one pass equals decoding on a thousand random models", "[.survey]") {
  const std::array<const char*, 8> methods{
      "{name: rtn, weight: {bits: 4, group_size: 16}, kv: {bits: 4}}",
      "{name: rtn, weight: {bits: 16}, kv: {bits: 2, view: {mode: all}}}",
      "{name: kvquant, weight: {bits: 4, group_size: 16}, kv: {view: {mode: all}}}",
      "{name: kvquant, kv: {bits: 3, outliers: 0.1}}",
      "{name: gptq, weight: {bits: 4, group_size: 16}, kv: {bits: 3, range: static, key: {rope: "
      "before}}}",
      "{name: awq, weight: {bits: 4, group_size: 16}, kv: {bits: 4, channel: {shift: static, "
      "scale: "
      "static}}}",
      "{name: kivi, kv: {key: {group_size: 4}, view: {window: 8}}}",
      "{name: rotation, weight: {bits: 4, group_size: 16}, activation: {bits: 8}, kv: {bits: 4}}"};
  std::array<int, methods.size()> apart{};
  std::array<double, methods.size()> largest{};
  int models = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed, ++models) {
    test::ModelFolder folder(seed % 2 ? "llama_mqa" : "llama_gqa_head_dim");
    randomize(folder, seed);
    for (size_t i = 0; i < methods.size(); ++i) {
      test::BlockFixture fixture(folder.path());
      const test::Run result = test::run(fixture, methods[i], 20);
      const double difference = test::largest(result.one_pass - result.decoded);
      apart[i] += difference > 1e-9;
      largest[i] = std::max(largest[i], difference);
    }
  }
  for (size_t i = 0; i < methods.size(); ++i)
    std::cout << fmt::format("{:>4} of {} apart, by at most {:.2e}: {}\n", apart[i], models,
                             largest[i], methods[i]);
  // One in a thousand may have a tie by chance.
  for (const int count : apart) CHECK(count <= models / 1000);
}
