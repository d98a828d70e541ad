#include "core/base/checkpoint/process_memory.h"

#include "tests/support/catch.h"
#include "tests/support/model_configs.h"

namespace wkvq {
namespace {

constexpr double kBlock = 592 * 4, kHead = 264 * 4;
constexpr double kStatistics = 4 * 8 * 262144.0;  // four float64 copies of 2^18 elements
constexpr double kFilePages = 128 * 2;            // the largest tensor as stored

}  // namespace

TEST_CASE("elements of a block and of its largest tensor") {
  CHECK(block_elements(test::tiny_model()) == 592);
  CHECK(largest_block_tensor(test::tiny_model()) == 128);
}

TEST_CASE("activations of a token") {
  // 6 x 8 hidden, 3 x 8 queries, 5 x 4 keys, 3 x 16 of the MLP.
  CHECK(activation_bytes(test::tiny_model(), 4) == 140 * 4);
  CHECK(activation_bytes(test::tiny_model(), 2) == 140 * 2);
}

TEST_CASE("a streamed model in full precision holds two blocks, then the head") {
  const ProcessBytes bytes = process_memory(
      test::tiny_model(), {.stream_tokens = 100, .tokens_at_once = 100'000, .logit_values = 1000});
  CHECK(bytes.libraries == kLibraryBytes);
  CHECK(bytes.weights == 0);
  CHECK(bytes.streams == 100 * 8 * 4);
  CHECK(bytes.quantizing == 2 * kBlock + kFilePages + 100'000 * 560.0);
  CHECK(bytes.scoring == kHead + 4000);
  CHECK(bytes.writing == 0);
  CHECK(bytes.peak() == kLibraryBytes + 3200 + bytes.quantizing);
}

TEST_CASE(
    "a resident model holds all blocks and the head, and what is quantized is another block") {
  const ProcessBytes bytes =
      process_memory(test::tiny_model(), {.resident = true, .rewrites = true});
  CHECK(bytes.weights == 3 * kBlock + kHead);
  CHECK(bytes.quantizing == kBlock + kFilePages + kStatistics);
  CHECK(bytes.scoring == 264 * 2);  // pages of the table while the head is read
}

TEST_CASE("looking ahead holds the blocks that follow and those read for the chain") {
  const ProcessBytes bytes = process_memory(
      test::tiny_model(), {.rewrites = true, .method = {.following_blocks = 2, .bytes = 7000}});
  CHECK(bytes.quantizing == 6 * kBlock + kFilePages + 7000 + kStatistics);
  const ProcessBytes resident = process_memory(
      test::tiny_model(), {.resident = true, .method = {.following_blocks = 2, .bytes = 7000}});
  CHECK(resident.quantizing == kFilePages + 7000 + kStatistics);
}

TEST_CASE("blocks that are kept are those loaded unless they were rewritten or streamed") {
  const auto weights = [](bool resident, bool rewrites) {
    return process_memory(test::tiny_model(),
                          {.resident = resident, .rewrites = rewrites, .keeps_blocks = true})
        .weights;
  };
  CHECK(weights(true, false) == 3 * kBlock + kHead);
  CHECK(weights(true, true) == 6 * kBlock + kHead);
  CHECK(weights(false, false) == 3 * kBlock);
  CHECK(weights(false, true) == 3 * kBlock);
}

TEST_CASE("packed blocks stay as codes, a block's codes take a byte each before") {
  const ProcessBytes bytes =
      process_memory(test::tiny_model(), {.rewrites = true, .packed_bits = 4.25});
  CHECK(bytes.weights == 3 * 592 * 4.25 / 8);
  CHECK(bytes.quantizing == 3 * kBlock + 592 + kFilePages + kStatistics);
}

TEST_CASE("writing holds head and caches, and the larger of what comes and goes") {
  const ProcessBytes bytes = process_memory(
      test::tiny_model(), {.tokens_at_once = 10, .written_values = 50, .cache_bytes = 9000});
  CHECK(bytes.writing == kHead + 9000 + 10 * 560);
  CHECK(process_memory(test::tiny_model(), {.written_values = 5000, .cache_bytes = 9000}).writing ==
        kHead + 9000 + 5000 * 8);
}

TEST_CASE("half types: states and weights take two bytes, logits are summed in four") {
  const ProcessBytes bytes = process_memory(
      test::tiny_model(),
      {.element_bytes = 2, .stream_tokens = 100, .tokens_at_once = 1, .logit_values = 1000});
  CHECK(bytes.streams == 100 * 8 * 2);
  CHECK(bytes.scoring == 264 * 2 + 4000);
}

}  // namespace wkvq
