#include "core/model/checkpoint.h"

#include <cmath>

#include "core/model/model_source.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

namespace wkvq {
namespace {

const char* const kName = "model.layers.1.mlp.up_proj.weight";
const std::vector<int64_t> kShape = {48, 32};

/// Replaces the data of `kName` by a float32 tensor with one odd value.
void plant(test::ModelFolder& folder, float value) {
  std::vector<float> data(48 * 32, 0.5F);
  data[77] = value;
  folder.rewrite([&](std::vector<TensorEntry>& tensors) {
    for (TensorEntry& entry : tensors) {
      if (entry.name == kName) entry.data = reinterpret_cast<const std::byte*>(data.data());
    }
  });
}

}  // namespace

TEST_CASE("values that are not finite are refused with tensor and file") {
  test::ModelFolder folder("llama_mha");
  const auto load = [&](at::ScalarType dtype) {
    Checkpoint(folder.path()).load(kName, kShape, dtype, at::kCPU);
  };
  plant(folder, std::nanf(""));
  REQUIRE_CONFIG_ERROR(load(at::kFloat), kName);
  REQUIRE_CONFIG_ERROR(load(at::kDouble), "model.safetensors");
  plant(folder, -INFINITY);
  REQUIRE_CONFIG_ERROR(load(at::kFloat), "not finite");
  plant(folder, 1e6F);
  load(at::kFloat);
  REQUIRE_CONFIG_ERROR(load(at::kHalf), "not finite in Half");
}

TEST_CASE("a shape that the caller does not expect is refused") {
  const Checkpoint checkpoint(test::source("tests/golden/models/llama_mha"));
  REQUIRE_CONFIG_ERROR(checkpoint.load(kName, {32, 48}, at::kFloat, at::kCPU),
                       "has shape [48, 32], expected [32, 48]");
}

TEST_CASE("loading gives a tensor of its own, rows are those of the table") {
  const Checkpoint checkpoint(test::source("tests/golden/models/llama_mha"));
  const at::Tensor first = checkpoint.load(kName, kShape, at::kFloat, at::kCPU);
  const at::Tensor kept = first.clone();
  first.zero_();
  CHECK(at::equal(checkpoint.load(kName, kShape, at::kFloat, at::kCPU), kept));

  const std::string table = "model.embed_tokens.weight";
  const at::Tensor ids = at::tensor({5, 0, 5, 63}, at::kLong).view({2, 2});
  const at::Tensor whole = checkpoint.load(table, {64, 32}, at::kDouble, at::kCPU);
  const at::Tensor rows = checkpoint.load_rows(table, ids, at::kDouble, at::kCPU);
  CHECK(at::equal(rows, whole.index_select(0, ids.view(-1)).view({2, 2, 32})));
}

TEST_CASE("streamed and resident blocks are the same, in any order") {
  const auto checkpoint =
      std::make_shared<const Checkpoint>(test::source("tests/golden/models/qwen2_window"));
  ModelSource streamed(checkpoint, {});
  ModelSource kept(checkpoint, {.resident_bytes = 1 << 24});
  CHECK(!streamed.resident());
  REQUIRE(kept.resident());
  for (int64_t layer : {0, 1, 2, 0, 2, 1}) {
    BlockWeights left = streamed.block(layer), right = kept.block(layer);
    CHECK(at::equal(left.key.bias, right.key.bias));
    CHECK(at::equal(left.input_norm, right.input_norm));
    std::vector<std::string> names;
    left.visit_linears([&](const char* name, const Linear&) { names.emplace_back(name); });
    CHECK(names == std::vector<std::string>{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
                                            "up_proj", "down_proj"});
    CHECK(at::equal(left.down.weight, right.down.weight));
    CHECK(kept.block(layer).down.weight.is_same(right.down.weight));
  }
  CHECK_THROWS(streamed.block(3));
  CHECK_THROWS(streamed.embed(at::tensor({64}, at::kLong)));
  CHECK(streamed.embedding().sizes() == at::IntArrayRef({64, 32}));
}

TEST_CASE("an error of the read-ahead reaches the block that it belongs to") {
  test::ModelFolder folder("llama_mha");
  plant(folder, std::nanf(""));
  ModelSource source(std::make_shared<const Checkpoint>(folder.path()), {});
  source.block(0);
  REQUIRE_CONFIG_ERROR(source.block(1), kName);
}

}  // namespace wkvq
