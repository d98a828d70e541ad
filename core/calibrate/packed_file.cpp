#include "core/calibrate/packed_file.h"

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/calibrate/packed_file_checks.h"
#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"

namespace wkvq {

namespace {

constexpr const char* kFormat = "wkvq packed model";
constexpr const char* kVersion = "1";

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

/// Of elements other than whole numbers: the name of a format that has them and their scales, and
/// the factor of the tensor.
at::Tensor name_of(const WeightFormat& f) {
  const std::string name = name_of_elements(f);
  at::Tensor bytes = at::empty({static_cast<int64_t>(name.size())}, at::kByte);
  std::memcpy(bytes.data_ptr<uint8_t>(), name.data(), name.size());
  return bytes;
}

std::string block_name(size_t layer) {
  return fmt::format("block_{:02}/", layer);
}

class Collector {
 public:
  void add(const std::string& name, const at::Tensor& x) {
    if (!x.defined()) return;
    kept_.push_back(x.detach().cpu().contiguous());
    const at::Tensor& held = kept_.back();
    entries.push_back({.name = name,
                       .dtype = packed_type_name(held.scalar_type()),
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
    at::Tensor x = at::empty(entry->shape, packed_type(entry->dtype, file_.path(), name));
    std::memcpy(x.mutable_data_ptr(), entry->data, entry->bytes);
    file_.release(*entry);
    return x;
  }

  void finish() const {
    if (read_ != file_.tensors().size())
      config_error("{}: {} tensors, of which the model has {}; expected those of one model",
                   file_.path().string(), file_.tensors().size(), read_);
  }

 private:
  const SafetensorsFile& file_;
  size_t read_ = 0;
};

}  // namespace

void write_packed_file(const std::filesystem::path& path, const std::vector<QuantizedBlock>& blocks,
                       const PackedFileFacts& facts) {
  Collector all;
  for (size_t layer = 0; layer < blocks.size(); ++layer) {
    const std::string block = block_name(layer);
    BlockWeights weights = blocks[layer].weights;
    visit_packed_tensors(weights,
                         [&](const std::string& name, at::Tensor& x) { all.add(block + name, x); });
    weights.visit_linears([&](const std::string& name, Linear& linear) {
      if (linear.basis.defined() || linear.input.options().needs_statistics())
        config_error(
            "packed file: the inputs of {}{} are quantized in another basis or by calibrated "
            "ranges; expected scale: token",
            block, name);
      if (!linear.packed) return;
      all.add(block + name + "/codes", linear.packed->data());
      const WeightFormat& format = linear.packed->format();
      all.add(block + name + "/format", numbers_of(format));
      if (format.integers()) return;
      all.add(block + name + "/elements", name_of(format));
      all.add(block + name + "/factor", at::full({1}, format.factor, at::kFloat));
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
                                               const Quantization& quantization,
                                               const at::TensorOptions& options) const {
  Tensors file(file_);
  const PackedFileChecks checks(path(), config, c10::typeMetaToScalarType(options.dtype()));
  const auto there = [&](const at::Tensor& x) { return x.defined() ? x.to(options.device()) : x; };
  std::vector<QuantizedBlock> blocks(static_cast<size_t>(config.layers));
  for (size_t layer = 0; layer < blocks.size(); ++layer) {
    const std::string name = block_name(layer);
    BlockWeights& weights = blocks[layer].weights;
    visit_packed_tensors(
        weights, [&](const std::string& part, at::Tensor& x) { x = file.find(name + part); });
    weights.visit_linears([&](const std::string& linear_name, Linear& linear) {
      const std::string own = name + linear_name;
      linear.input = ActivationQuantizer(quantization.activation, 0);
      const at::Tensor codes = file.find(own + "/codes");
      if (!codes.defined()) return;
      linear.packed = std::make_shared<const PackedWeight>(
          checks.format(own,
                        {.numbers = file.find(own + "/format"),
                         .elements = file.find(own + "/elements"),
                         .factor = file.find(own + "/factor")},
                        codes),
          there(codes));
    });
    checks.block(name, weights);
    visit_packed_tensors(weights, [&](const std::string&, at::Tensor& x) { x = there(x); });
    const auto channels = [&](const std::string& side) {
      const auto part = [&](const std::string& own) {
        return there(checks.channels(own, file.find(own)));
      };
      return ChannelTransform{part(name + side + "/shift"), part(name + side + "/scale")};
    };
    const KvOptions kv = quantization.kv_of(static_cast<int64_t>(layer));
    blocks[layer].codec = {{kv.key, channels("key")}, {kv.value, channels("value")}};
  }
  file.finish();
  return blocks;
}

}  // namespace wkvq
