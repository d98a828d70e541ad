#include "datasets/corpora/tokens.h"

#include <fmt/ranges.h>

#include "core/base/checkpoint/model_path.h"
#include "core/base/error.h"
#include "datasets/corpora/corpus.h"
#include "datasets/readers/token_array.h"

namespace wkvq {

namespace {

// Before narrowing to 32 bits, which could hide an id that is far out.
void check_vocabulary(const TokenArray& array, int64_t vocab_size, const std::string& who) {
  const size_t columns = static_cast<size_t>(array.shape.back());
  for (size_t i = 0; i < array.values.size(); ++i) {
    const int64_t id = array.values[i];
    if (id >= 0 && id < vocab_size) continue;
    const std::string place = array.shape.size() == 1
                                  ? fmt::format("row {}", i)
                                  : fmt::format("row {}, column {}", i / columns, i % columns);
    config_error("{}, {}: token id {}, expected 0..{} (the model's vocabulary)", who, place, id,
                 vocab_size - 1);
  }
}

}  // namespace

void TokensDataset::visit(OptionVisitor& v) {
  v("path", path_, ".safetensors or .npy file of token ids, 1-D or [windows, context]");
  v("tensor", tensor_, "name of the tensor (.safetensors only)");
  if (path_.empty()) v.reject("path", "expected a .safetensors or .npy file");
  if (is_npy() && !tensor_.empty()) v.reject("tensor", "a .npy file has one array; leave it out");
  if (!path_.empty() && !is_npy() && tensor_.empty()) {
    v.reject("tensor", "expected the name of a tensor in the .safetensors file");
  }
}

std::string TokensDataset::summary() const {
  return "token ids from a .safetensors or .npy file, 1-D or [windows, context]";
}

std::string TokensDataset::label() const {
  const std::string stem = std::filesystem::path(path_).stem().string();
  return tensor_.empty() ? stem : stem + "." + tensor_;
}

bool TokensDataset::is_npy() const {
  return std::filesystem::path(path_).extension() == ".npy";
}

Corpus TokensDataset::load(const DatasetContext& context) const {
  const std::filesystem::path file = expand_home(path_);
  const TokenArray array = is_npy() ? read_npy(file) : read_safetensors_tokens(file, tensor_);
  const std::string who = is_npy() ? path_ : fmt::format("{}, tensor '{}'", path_, tensor_);
  if (array.values.empty() || array.shape.empty() || array.shape.size() > 2) {
    config_error("{}: shape [{}], expected [tokens] or [windows, context]", who,
                 fmt::join(array.shape, ", "));
  }
  check_vocabulary(array, context.vocab_size, who);
  Corpus corpus;
  if (array.shape.size() == 1) {
    corpus.stream.assign(array.values.begin(), array.values.end());
    corpus.convention = fmt::format("token ids {}, running text, no BOS added", label());
  } else {
    for (auto row = array.values.begin(); row != array.values.end(); row += array.shape[1]) {
      corpus.windows.emplace_back(row, row + array.shape[1]);
    }
    corpus.convention = fmt::format("token ids {}, {} windows of {}, no BOS added", label(),
                                    array.shape[0], array.shape[1]);
  }
  return finish_corpus(std::move(corpus), context, who);
}

}  // namespace wkvq
