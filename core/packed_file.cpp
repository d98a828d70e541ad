#include "core/packed_file.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/model_tensors.h"
#include "core/packed_weight.h"
#include "core/torch_headers.h"

namespace wkvq {

namespace {

constexpr const char* kFormat = "wkvq packed model";
constexpr const char* kVersion = "1";

struct TypeName {
  at::ScalarType type;
  const char* name;
};
constexpr TypeName kTypes[]{{at::kFloat, "F32"},
                            {at::kHalf, "F16"},
                            {at::kBFloat16, "BF16"},
                            {at::kByte, "U8"},
                            {at::kLong, "I64"}};

const char* name_of(at::ScalarType type) {
  for (const TypeName& known : kTypes)
    if (known.type == type) return known.name;
  TORCH_CHECK(false, "packed file: ", toString(type), " is not stored");
}

/// Of all tensors and facts; `done` is told of every tensor that is no longer needed.
std::string hash_of(const std::vector<TensorEntry>& tensors, const PackedFileFacts& facts,
                    const std::function<void(const TensorEntry&)>& done) {
  Hasher hasher;
  hasher.add_part(facts.model_fingerprint).add_part(facts.configuration);
  for (const TensorEntry& entry : tensors) {
    hasher.add_part(entry.name).add_part(entry.dtype);
    hasher.add(entry.shape.data(), entry.shape.size() * sizeof(int64_t));
    hasher.add(entry.data, entry.bytes);
    done(entry);
  }
  return hasher.hex();
}

/// The numbers of a format, in this order.
at::Tensor numbers_of(const WeightFormat& f) {
  return at::tensor({f.bits, f.out, f.in, f.group, static_cast<int64_t>(f.stored),
                     static_cast<int64_t>(f.form), int64_t{f.wide_zero}},
                    at::kLong);
}

std::string block_name(size_t layer) {
  return fmt::format("block_{:02}/", layer);
}

/// visitor(name, tensor) for every tensor of a block beside its codes; they may be undefined, and
/// may be set.
template <class Visitor>
void visit_tensors(BlockWeights& weights, Visitor&& visitor) {
  visitor("input_norm", weights.input_norm);
  visitor("post_norm", weights.post_norm);
  visitor("query_norm", weights.query_norm);
  visitor("key_norm", weights.key_norm);
  weights.visit_linears([&](const std::string& name, Linear& linear) {
    visitor(name + "/weight", linear.weight);
    visitor(name + "/bias", linear.bias);
    visitor(name + "/basis", linear.basis);
  });
}

class Collector {
 public:
  void add(const std::string& name, const at::Tensor& x) {
    if (!x.defined()) return;
    kept_.push_back(x.detach().cpu().contiguous());
    const at::Tensor& held = kept_.back();
    entries.push_back({.name = name,
                       .dtype = name_of(held.scalar_type()),
                       .shape = held.sizes().vec(),
                       .data = static_cast<const std::byte*>(held.const_data_ptr()),
                       .bytes = held.nbytes()});
  }
  std::vector<TensorEntry> entries;

 private:
  std::vector<at::Tensor> kept_;
};

/// Tensors of a file by name; what is read is counted, so that nothing in it goes unread.
class Tensors {
 public:
  explicit Tensors(const SafetensorsFile& file) : file_(file) {}

  /// Undefined where there is none.
  at::Tensor find(const std::string& name) {
    const TensorEntry* entry = file_.find(name);
    if (!entry) return {};
    ++read_;
    for (const TypeName& known : kTypes)
      if (entry->dtype == known.name) {
        at::Tensor x = at::empty(entry->shape, known.type);
        std::memcpy(x.mutable_data_ptr(), entry->data, entry->bytes);
        file_.release(*entry);
        return x;
      }
    refuse(name, fmt::format("dtype {}; expected one that packed models have", entry->dtype));
  }

  void finish() const {
    if (read_ != file_.tensors().size())
      config_error("{}: {} tensors, of which the model has {}; expected those of one model",
                   file_.path().string(), file_.tensors().size(), read_);
  }

  [[noreturn]] void refuse(const std::string& name, const std::string& what) const {
    config_error("{}: {}: {}", file_.path().string(), name, what);
  }

 private:
  const SafetensorsFile& file_;
  size_t read_ = 0;
};

/// ConfigError unless the format is one of a weight [out, in] that `data` holds.
WeightFormat format_of(const Tensors& file, const std::string& name, const at::Tensor& numbers,
                       const at::Tensor& data) {
  const auto expect = [&](bool sound) {
    if (!sound) file.refuse(name, "its format or size is not that of packed codes");
  };
  expect(numbers.defined() && numbers.scalar_type() == at::kLong && numbers.numel() == 7);
  const int64_t* n = numbers.const_data_ptr<int64_t>();
  expect(packable_bits(n[0]) && n[1] > 0 && n[2] > 0 && n[1] < (1 << 30) && n[2] < (1 << 30));
  expect(n[3] >= n[2] || (n[3] > 0 && n[3] % kPanelStep == 0));
  expect(n[4] > 0 && n[4] <= static_cast<int64_t>(StoredScale::kBfloat16));
  expect(n[5] >= 0 && n[5] <= static_cast<int64_t>(PlanForm::kSymmetric));
  expect(n[6] == 0 || n[6] == 1);
  const WeightFormat format{.bits = n[0],
                            .out = n[1],
                            .in = n[2],
                            .group = n[3],
                            .stored = static_cast<StoredScale>(n[4]),
                            .form = static_cast<PlanForm>(n[5]),
                            .wide_zero = n[6] == 1};
  expect(data.scalar_type() == at::kByte && data.numel() == format.bytes());
  return format;
}

std::vector<int64_t> shape_of(const Linear& linear) {
  if (linear.packed) return {linear.packed->format().out, linear.packed->format().in};
  return linear.weight.defined() ? linear.weight.sizes().vec() : std::vector<int64_t>{};
}

/// ConfigError unless `weights` are of the shapes that block 0 of a model has.
void check_shapes(const Tensors& file, const std::string& block, const ModelConfig& config,
                  BlockWeights& weights) {
  std::map<std::string, std::vector<int64_t>> expected;
  for (const TensorSpec& spec : block_tensors(config, 0))
    if (!spec.is_bias && spec.shape.size() == 2)
      for (const char* linear : kLinearNames)
        if (spec.name.find(linear) != std::string::npos) expected[linear] = spec.shape;
  weights.visit_linears([&](const char* name, Linear& linear) {
    if (shape_of(linear) != expected[name])
      file.refuse(block + name, "no weight of the shape that the model has");
  });
  for (const at::Tensor& norm : {weights.input_norm, weights.post_norm})
    if (!norm.defined() || norm.numel() != config.hidden_size)
      file.refuse(block, "no norms of the size that the model has");
}

}  // namespace

void write_packed_file(const std::filesystem::path& path, const std::vector<QuantizedBlock>& blocks,
                       const PackedFileFacts& facts) {
  Collector all;
  for (size_t layer = 0; layer < blocks.size(); ++layer) {
    const std::string block = block_name(layer);
    BlockWeights weights = blocks[layer].weights;
    visit_tensors(weights,
                  [&](const std::string& name, at::Tensor& x) { all.add(block + name, x); });
    weights.visit_linears([&](const std::string& name, Linear& linear) {
      if (!linear.input.identity())
        config_error("packed file: the inputs of {}{} are quantized; expected activation: 16 bits",
                     block, name);
      if (!linear.packed) return;
      all.add(block + name + "/codes", linear.packed->data());
      all.add(block + name + "/format", numbers_of(linear.packed->format()));
    });
    const KvCodec& codec = blocks[layer].codec;
    for (const auto& [side, one] :
         {std::pair("key", &codec.key), std::pair("value", &codec.value)}) {
      all.add(block + side + "/shift", one->shift());
      all.add(block + side + "/scale", one->scale());
    }
  }
  write_safetensors(path, all.entries,
                    {{"format", kFormat},
                     {"version", kVersion},
                     {"model_fingerprint", facts.model_fingerprint},
                     {"configuration", facts.configuration},
                     {"hash", hash_of(all.entries, facts, [](const TensorEntry&) {})}});
}

PackedFile::PackedFile(const std::filesystem::path& path) : file_(path) {
  const auto text = [&](const std::string& name) {
    const auto found = file_.metadata().find(name);
    return found == file_.metadata().end() ? std::string() : found->second;
  };
  if (text("format") != kFormat)
    config_error("{}: no packed model; expected a file of `wkvq pack`", path.string());
  if (text("version") != kVersion)
    config_error("{}: version {} of packed models; expected {}", path.string(), text("version"),
                 kVersion);
  facts_ = {text("model_fingerprint"), text("configuration")};
  // Pages that were read are given back: the file is as large as what it becomes in memory.
  const auto release = [&](const TensorEntry& entry) { file_.release(entry); };
  if (text("hash") != hash_of(file_.tensors(), facts_, release))
    config_error("{}: its content is not what was written; expected an undamaged file",
                 path.string());
}

std::vector<QuantizedBlock> PackedFile::blocks(const ModelConfig& config,
                                               const std::function<KvOptions(int64_t)>& kv_of,
                                               at::Device device) const {
  Tensors file(file_);
  const auto there = [&](const std::string& name) {
    const at::Tensor x = file.find(name);
    return x.defined() ? x.to(device) : x;
  };
  std::vector<QuantizedBlock> blocks(static_cast<size_t>(config.layers));
  for (size_t layer = 0; layer < blocks.size(); ++layer) {
    const std::string name = block_name(layer);
    BlockWeights& weights = blocks[layer].weights;
    visit_tensors(weights, [&](const std::string& part, at::Tensor& x) { x = there(name + part); });
    weights.visit_linears([&](const std::string& linear_name, Linear& linear) {
      const std::string own = name + linear_name;
      const at::Tensor codes = there(own + "/codes");
      if (!codes.defined()) return;
      linear.packed = std::make_shared<const PackedWeight>(
          format_of(file, own, file.find(own + "/format"), codes), codes);
    });
    check_shapes(file, name, config, weights);
    const auto channels = [&](const std::string& side) {
      ChannelTransform c{there(name + side + "/shift"), there(name + side + "/scale")};
      for (at::Tensor* x : {&c.shift, &c.scale}) {
        if (!x->defined()) continue;
        if (x->numel() != config.kv_heads * config.head_dim)
          file.refuse(name + side, "no channels of the size that the model has");
        *x = x->view({config.kv_heads, config.head_dim});
      }
      return c;
    };
    const KvOptions kv = kv_of(static_cast<int64_t>(layer));
    blocks[layer].codec = {{kv.key, channels("key")}, {kv.value, channels("value")}};
  }
  file.finish();
  return blocks;
}

}  // namespace wkvq
