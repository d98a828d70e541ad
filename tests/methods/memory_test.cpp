#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/model_configs.h"

using namespace wkvq;

namespace {

MethodMemory memory(const std::string& method, const CalibrationSize& size) {
  const std::unique_ptr<Method> made = test::method_of(method);
  return made->calibration_memory(test::tiny_model(), size);
}

constexpr CalibrationSize kSmall{
    .element_bytes = 4, .tokens = 60, .batch_tokens = 20, .window_tokens = 10};
constexpr CalibrationSize kNone{.element_bytes = 4};

}  // namespace

TEST_CASE("memory: round to nearest holds nothing beside the block") {
  const MethodMemory held = memory("{name: rtn, weight: {bits: 4}, kv: {bits: 4}}", kSmall);
  CHECK(held.following_blocks == 0);
  CHECK(held.bytes == 0);
}

TEST_CASE("memory: static ranges hold six copies of the sampled keys") {
  const std::string method = "{name: rtn, kv: {bits: 4, group_scope: token, range: static}}";
  CHECK(memory(method, kSmall).bytes == 6 * 60 * 4 * 4);
  CHECK(memory(method, {.element_bytes = 4, .tokens = 1'000'000}).bytes == 6 * 16384 * 4 * 4.0);
}

TEST_CASE("memory: GPTQ holds four matrices of the widest input, or one and a batch") {
  // 16 x 16 inputs of down_proj; five copies of a weight of 128.
  CHECK(memory("{name: gptq, weight: {bits: 4}}", kNone).bytes == 4 * 256 * 4 + 5 * 128 * 4);
  CHECK(memory("{name: gptq, weight: {bits: 4}}", kSmall).bytes == 256 * 4 + 20 * 560);
  // With the Hessians of the three other inputs, 8 x 8 each.
  CHECK(memory("{name: gptq, weight: {bits: 4}, true_sequential: false}", kNone).bytes ==
        3 * 64 * 4 + 4 * 256 * 4 + 5 * 128 * 4);
  // Half types are summed in float32.
  CHECK(memory("{name: gptq, weight: {bits: 4}}", {.element_bytes = 2}).bytes ==
        4 * 256 * 4 + 5 * 128 * 4);
  CHECK(memory("{name: gptq}", kSmall).bytes == 0);
  CHECK(memory("{name: mixed, weight: {bits: 4}, rounding: gptq}", kNone).bytes ==
        4 * 256 * 4 + 5 * 128 * 4);
}

TEST_CASE("memory: AWQ holds a batch in front of every linear, its error, or a weight in groups") {
  // Inputs 2 x 8 + 2 x 8 + 16 values a token, activations 140, three float64 copies of 8.
  CHECK(memory("{name: awq, weight: {bits: 4, group_size: 8}}", kSmall).bytes ==
        20 * (48 * 4 + 140 * 4 + 8 * 24));
  // Three copies of 128, and for each of 48 inputs a row of second moments of 8.
  CHECK(memory("{name: awq, weight: {bits: 4, group_size: 8}}", kNone).bytes ==
        3 * 128 * 4 + 48 * 8 * 4);
  CHECK(memory("{name: awq, weight: {bits: 4, group_size: 8}, clip: false}", kNone).bytes == 0);
}

TEST_CASE("memory: training holds gradients, ratios and what the backward pass needs") {
  // Gradients of 592 and two of 128; two ratios for each of 592 / 8 groups, eight of each.
  const double weights = (592 + 2 * 128) * 4 + 2 * 8 * 4 * 592 / 8.0;
  const MethodMemory own = memory("{name: omniquant, weight: {bits: 4, group_size: 8}}", kSmall);
  CHECK(own.following_blocks == 0);
  CHECK(own.bytes == weights + 10 * 560 * 2);
  const MethodMemory ahead =
      memory("{name: wkvquant, weight: {group_size: 8}, training: {batch: 2}}", kSmall);
  CHECK(ahead.following_blocks == 2);  // five asked for, two are there
  CHECK(ahead.bytes == weights + 20 * 560 * 4);
}
