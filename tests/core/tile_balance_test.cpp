#include "core/kv/tile_balance.h"

#include "core/device/torch_headers.h"
#include "core/kv/kv_codec.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

KvTensorOptions key_options(int64_t tile) {
  return {.bits = 2, .group_size = tile, .axis = KvAxis::kTime, .tile = tile};
}

/// Largest over smallest standard deviation along dimension `over`.
double spread(const at::Tensor& x, int64_t over) {
  const at::Tensor deviations = at::std(x, at::IntArrayRef{over}, /*unbiased=*/false);
  return (deviations.max() / deviations.min()).item<double>();
}

}  // namespace

TEST_CASE("tile balance: a product of scales is found, and what is left is even") {
  at::manual_seed(4);
  const at::Tensor rows = at::linspace(0.5, 8, 32, at::kDouble).view({32, 1});
  const at::Tensor columns = at::linspace(0.6, 6, 16, at::kDouble);
  const at::Tensor x = (at::randn({32, 16}, at::kDouble) * rows * columns).view({1, 1, 32, 16});
  const at::Tensor tokens = tile_balance(x, key_options(32));
  REQUIRE(tokens.sizes() == at::IntArrayRef{1, 1, 32, 1});
  const at::Tensor channels = tile_balance(x, {.bits = 2, .tile = 32});
  REQUIRE(channels.sizes() == at::IntArrayRef{1, 1, 1, 16});
  const at::Tensor even = x / tokens / channels;
  // Both sides of the product were 10 to 16 apart. Scales of small tokens stop at exp(-0.3), which
  // leaves these a factor apart.
  CHECK(spread(even, 2) < 1.1);
  CHECK(spread(even, 3) < 3);
  CHECK(spread(x / channels, 2) < 0.5 * spread(x, 2));
  CHECK(spread(x / tokens, 3) < 0.2 * spread(x, 3));
}

TEST_CASE("tile balance: tiles are apart, the last may be short, and an even one is left alone") {
  at::manual_seed(5);
  const at::Tensor x =
      at::randn({2, 3, 20, 8}, at::kDouble) * at::arange(1, 21, at::kDouble).view({1, 1, 20, 1});
  const KvTensorOptions options = key_options(8);
  const at::Tensor all = tile_balance(x, options);
  REQUIRE(at::allclose(all.narrow(2, 8, 8), tile_balance(x.narrow(2, 8, 8), options), 1e-12, 0));
  REQUIRE(at::allclose(all.narrow(2, 16, 4), tile_balance(x.narrow(2, 16, 4), options), 1e-12, 0));
  const at::Tensor checkers = at::tensor({1.0, -1.0, -1.0, 1.0}, at::kDouble).view({1, 1, 2, 2});
  REQUIRE(at::equal(tile_balance(checkers, key_options(2)), at::ones({1, 1, 2, 1}, at::kDouble)));
}

TEST_CASE("tile balance: codecs read what they store, with less error where tokens differ") {
  at::manual_seed(6);
  at::Tensor x = at::randn({1, 2, 256, 32}, at::kDouble);
  x = x * at::randn({1, 1, 256, 1}, at::kDouble).exp();
  KvTensorOptions tiled = key_options(128), plain = tiled;
  plain.tile = 0;
  const auto error = [&](const KvTensorOptions& options) {
    const KvTensorCodec codec(options, ChannelTransform());
    REQUIRE(at::equal(codec.decode(codec.encode(x)), codec.fake(x)));
    // Relative, so that small tokens count as much as large ones.
    return ((codec.fake(x) - x).norm(2, {-1}) / x.norm(2, {-1})).mean().item<double>();
  };
  CHECK(error(tiled) < 0.5 * error(plain));
  KvTensorOptions value{.bits = 3, .tile = 128};
  const KvTensorCodec codec(value, ChannelTransform());
  REQUIRE(at::equal(codec.decode(codec.encode(x)), codec.fake(x)));
}

TEST_CASE("tile balance: stored bytes of a tile are KVarN's") {
  ModelConfig model;
  model.kv_heads = 1;
  model.head_dim = 128;
  KvTensorOptions key = key_options(128), value{.bits = 2, .tile = 128};
  key.scale_dtype = value.scale_dtype = ScaleDtype::kFloat16;
  const auto bytes = [&](const KvTensorOptions& options) {
    return KvTensorCodec::stored_bits(options, model, 32) * 128 * 128 / 8;
  };
  // 4,096 of codes, 512 of scales and minima, 256 of the other side's scales.
  CHECK(bytes(key) == 4864);
  CHECK(bytes(key) + bytes(value) == 9728);
}

TEST_CASE("tile balance: views and options that do not fit are refused") {
  ModelConfig model;
  model.heads = model.kv_heads = 2;
  model.head_dim = 16;
  const auto refused = [&](const KvTensorOptions& key, const KvViewOptions& view,
                           const std::string& part) {
    KvOptions options;
    options.key = key;
    REQUIRE_CONFIG_ERROR(check_kv_options(options, view, model), part);
  };
  const KvViewOptions tiles{.mode = ViewMode::kTiles, .window = 8};
  refused(key_options(8), {.mode = ViewMode::kPast}, "a query would see its own future");
  refused(key_options(8), {.mode = ViewMode::kTiles, .window = 12}, "see its own future");
  KvTensorOptions other = key_options(8);
  other.group_size = 4;
  refused(other, tiles, "expected groups of the tile");
  other = {.bits = 4, .tile = 8, .outliers = 0.01};
  refused(other, tiles, "no outliers");
  KvOptions fits;
  fits.key = key_options(8);
  fits.value = {.bits = 2, .tile = 4};
  check_kv_options(fits, tiles, model);
}
