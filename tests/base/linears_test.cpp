#include "core/base/checkpoint/linears.h"

#include <stdexcept>

#include "core/base/checkpoint/model_tensors.h"
#include "tests/support/catch.h"
#include "tests/support/model_configs.h"

using namespace wkvq;

TEST_CASE("linears: rows and columns by hand, and those that checkpoints must hold") {
  const ModelConfig model = test::odd_widths();
  const std::vector<std::pair<int64_t, int64_t>> expected{{60, 7}, {30, 7}, {30, 7}, {7, 60},
                                                          {11, 7}, {11, 7}, {7, 11}};
  for (size_t i = 0; i < kLinears.size(); ++i) {
    INFO(kLinears[i].name);
    CHECK(output_size(model, kLinears[i].role) == expected[i].first);
    CHECK(input_size(model, kLinears[i].input) == expected[i].second);
  }
  size_t found = 0;
  for (const TensorSpec& tensor : block_tensors(model, 0)) {
    if (tensor.shape.size() != 2) continue;
    CHECK(tensor.role == kLinears.at(found).role);
    CHECK(tensor.shape == std::vector<int64_t>{expected[found].first, expected[found].second});
    ++found;
  }
  CHECK(found == kLinears.size());
}

TEST_CASE("linears: who reads what, and names that are not known") {
  CHECK(readers() == std::vector<std::string>{"q_proj", "o_proj", "gate_proj", "down_proj"});
  CHECK(reader_of(linear_named("v_proj").input) == std::string("q_proj"));
  CHECK(reader_of(linear_named("up_proj").input) == std::string("gate_proj"));
  CHECK(linear_named("down_proj").role == Role::kDown);
  CHECK_THROWS_AS(linear_named("lm_head"), std::out_of_range);
}
