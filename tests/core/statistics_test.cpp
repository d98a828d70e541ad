#include "core/calibrate/statistics.h"

#include <cmath>

#include "core/device/torch_headers.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;

namespace {

// More than are compared at once, and no multiple of it.
constexpr int64_t kRows = 1000, kColumns = 999;

}  // namespace

TEST_CASE("errors of a weight larger than one comparison") {
  const at::Tensor weight = at::full({kRows, kColumns}, 2.0f);
  at::Tensor quantized = weight + 0.5;
  quantized[kRows - 1][kColumns - 1] = 5.0f;
  // 998,999 errors of 1/2 and one of 3, on squares of 4.
  const double noise = 998'999 * 0.25 + 9, signal = 999'000 * 4.0;
  test::MemoryRecorder recorded;
  record_weight_error(recorded, 3, "q_proj", weight, quantized);
  const auto number = [&](const std::string& name) {
    return std::get<double>(recorded.attributes.at("/statistics/block_03/q_proj/" + name));
  };
  CHECK(number("largest_error") == 3);
  // Sums of a million exact terms: only the last division and root round.
  CHECK(number("relative_error") == Approx(std::sqrt(noise / signal)).epsilon(1e-15));
  CHECK(number("sqnr_db") == Approx(10 * std::log10(signal / noise)).epsilon(1e-15));
  CHECK(sqnr_db(weight.t(), quantized.t()) ==
        Approx(10 * std::log10(signal / noise)).epsilon(1e-15));
  CHECK(std::isinf(sqnr_db(weight, weight)));
}

TEST_CASE("an error that is no number is seen in whichever part it stands") {
  for (const int64_t row : {int64_t{0}, kRows - 1}) {
    const at::Tensor weight = at::ones({kRows, kColumns});
    at::Tensor quantized = weight.clone();
    quantized[row][0] = NAN;
    test::MemoryRecorder recorded;
    record_weight_error(recorded, 0, "up_proj", weight, quantized);
    const auto number = [&](const std::string& name) {
      return std::get<double>(recorded.attributes.at("/statistics/block_00/up_proj/" + name));
    };
    for (const char* name : {"largest_error", "relative_error", "sqnr_db"})
      CHECK(std::isnan(number(name)));
  }
}

TEST_CASE("errors of heads: by hand, and the head that is quantized worse than the others") {
  // Two heads that share one key of one channel; the second token sees both.
  const auto inputs = [](double second_key) {
    AttentionInputs in;
    in.query = at::tensor({1.0, 2.0, 3.0, 0.0}, at::kDouble).view({1, 2, 2, 1});
    in.key = at::tensor({1.0, second_key}, at::kDouble).view({1, 1, 2, 1});
    in.value = at::tensor({0.0, 1.0}, at::kDouble).view({1, 1, 2, 1});
    in.key_before_rope = in.key;
    return in;
  };
  const HeadErrors errors = head_errors(inputs(2), inputs(2.5), {});
  // Logits 1, 2, 4 against 1, 2, 5, and 3, 0, 0 in both.
  CHECK(errors.logits[0].item<double>() == Approx(1 / std::sqrt(21.0)).epsilon(1e-14));
  CHECK(errors.logits[1].item<double>() == 0);
  // The output of the second token is the softmax's weight of it; a query of 0 weighs both alike.
  const double exact = 1 / (1 + std::exp(-2.0)), other = 1 / (1 + std::exp(-3.0));
  CHECK(errors.output[0].item<double>() == Approx((other - exact) / exact).epsilon(1e-13));
  CHECK(errors.output[1].item<double>() == 0);
}

TEST_CASE("errors of a cache by head") {
  // One token, two kv heads, two query heads each: attention returns the values themselves. Two
  // bits over 0 .. 3 hold whole numbers exactly and round 1.5 to 2.
  const at::Tensor value =
      at::tensor({0.0, 1.5, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0}, at::kDouble).reshape({1, 2, 1, 4});
  const at::Tensor key = at::ones({1, 2, 1, 4}, at::kDouble);
  const AttentionInputs sample{.query = at::ones({1, 4, 1, 4}, at::kDouble),
                               .key = key,
                               .value = value,
                               .key_before_rope = key};
  const KvCodec codec{{}, {KvTensorOptions{.bits = 2}, ChannelRange()}};
  test::MemoryRecorder recorded;
  record_kv_statistics(recorded, 0, sample, codec);
  const double error = 0.5 / std::sqrt(1.5 * 1.5 + 4 + 9);
  const auto errors = [&](const std::string& name) {
    return recorded.arrays.at("/statistics/block_00/" + name).values;
  };
  REQUIRE(errors("value/head_error").size() == 2);
  CHECK(errors("value/head_error")[0] == Approx(error).epsilon(1e-12));
  CHECK(errors("value/head_error")[1] == 0);
  REQUIRE(errors("heads/output_error").size() == 4);
  // The softmax of one score is exactly 1.
  CHECK(errors("heads/output_error")[1] == Approx(error).epsilon(1e-12));
  CHECK(errors("heads/output_error")[2] == 0);
  CHECK(recorded.arrays.count("/statistics/block_00/key/head_error") == 0);
}
