#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/options/options.h"
#include "datasets/tokenizers/tokenizer.h"

namespace wkvq {

/// One document of a data set as text, not yet tokenized.
struct Document {
  std::string text;   ///< what is scored
  int64_t words = 0;  ///< of the original text (count_words)
  int64_t bytes = 0;  ///< of the original text in UTF-8
};

/// All documents of a data set; `convention` says in words what one is.
struct Documents {
  std::vector<Document> items;
  std::string convention;
};

/// Token ids ready to be cut or already cut. `stream` holds running text, `windows` fixed windows
/// (then `stream` is empty). `convention` states joining and BOS rule in words; it goes into every
/// table and run file.
struct Corpus {
  std::vector<int32_t> stream;
  std::vector<std::vector<int32_t>> windows;
  std::string convention;
  std::string fingerprint;
  std::vector<std::string> warnings;  ///< what to tell who evaluates on it
  /// Reads the documents one by one, for conventions that keep them apart; null where the data set
  /// has none.
  std::function<Documents()> documents;
};

/// Samples `count` token sequences of `length` from the full-precision model (temperature 1,
/// seeded).
using SelfSampler =
    std::function<std::vector<std::vector<int32_t>>(int64_t count, int64_t length, int64_t seed)>;

/// What a dataset may need to load itself.
struct DatasetContext {
  const Tokenizer* tokenizer = nullptr;  ///< null where the model folder has none
  SelfSampler sample_self;
  int64_t vocab_size = 0;
  std::string model_name;
};

/// A source of token ids, declared by its options.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual void visit(OptionVisitor& v) = 0;
  /// One sentence for `wkvq list datasets`.
  virtual std::string summary() const = 0;
  /// Short name used in metric names, e.g. "wikitext2" or the stem of a file.
  virtual std::string label() const = 0;
  /// Whether load() lets the model write its text, which takes long.
  virtual bool is_sampled() const { return false; }
  /// Throws ConfigError where files are missing, malformed or hold ids outside the vocabulary.
  virtual Corpus load(const DatasetContext& context) const = 0;
};

/// Throws ConfigError naming the known ones.
std::unique_ptr<Dataset> make_dataset(const std::string& name);
std::vector<std::string> dataset_names();

/// Cuts `corpus` into windows of `length` tokens in order, tail dropped (fixed windows: all of
/// them, cut to `length` where it is positive), the first `limit` of them (0: all). ConfigError
/// where there is not one whole window.
std::vector<std::vector<int32_t>> cut_windows(const Corpus& corpus, int64_t length, int64_t limit);

/// `count` of the windows that `corpus` is cut into: seed 0 takes the first ones in order, any
/// other seed draws them without repetition, in the order drawn. ConfigError where there are fewer.
std::vector<std::vector<int32_t>> choose_windows(const Corpus& corpus, int64_t length,
                                                 int64_t count, int64_t seed);

}  // namespace wkvq
