#include "datasets/corpora/self.h"

#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

std::vector<std::vector<int32_t>> sample(int64_t count, int64_t length, int64_t seed) {
  return std::vector<std::vector<int32_t>>(
      static_cast<size_t>(count),
      std::vector<int32_t>(static_cast<size_t>(length), static_cast<int32_t>(seed)));
}

TEST_CASE("self: hands count, length and seed to the sampler") {
  DatasetContext context = test::context_of(nullptr);
  context.sample_self = sample;
  const auto data = test::dataset("self", {{"samples", "2"}, {"length", "3"}, {"seed", "7"}});
  const Corpus corpus = data->load(context);
  CHECK(corpus.windows == std::vector<std::vector<int32_t>>{{7, 7, 7}, {7, 7, 7}});
  CHECK(corpus.convention ==
        "sampled from the full-precision model tiny (temperature 1, seed 7), 2 windows of 3 "
        "tokens, no BOS per window; mean NLL minus that of full precision estimates KL(full "
        "precision || quantized)");
  CHECK(data->label() == "self");
}

TEST_CASE("self: says that windows open with BOS where they do") {
  const test::ByteTokenizer tokenizer(true);
  DatasetContext context = test::context_of(&tokenizer);
  context.sample_self = sample;
  const auto data = test::dataset("self", {{"samples", "1"}, {"seed", "1"}});
  CHECK(data->load(context).convention.find("BOS at the start of every window") !=
        std::string::npos);
}

TEST_CASE("self: what cannot be used is refused") {
  const auto data = test::dataset("self", {{"samples", "2"}, {"length", "3"}});
  DatasetContext context = test::context_of(nullptr);
  REQUIRE_CONFIG_ERROR(data->load(context), "no model to sample from");
  context.sample_self = [](int64_t, int64_t length, int64_t) { return sample(1, length, 0); };
  REQUIRE_CONFIG_ERROR(data->load(context), "1 samples given, 2 expected");
  context.sample_self = [](int64_t count, int64_t, int64_t) { return sample(count, 2, 0); };
  REQUIRE_CONFIG_ERROR(data->load(context), "a sample of 2 tokens, 3 expected");
  context.sample_self = [](int64_t count, int64_t length, int64_t) {
    return sample(count, length, 5000);
  };
  REQUIRE_CONFIG_ERROR(data->load(context), "row 0, position 0: token id 5000");
  REQUIRE_CONFIG_ERROR(test::dataset("self", {{"samples", "0"}}), "samples: expected 1");
  REQUIRE_CONFIG_ERROR(test::dataset("self", {{"length", "1"}}), "length: expected 2");
}

}  // namespace
}  // namespace wkvq
