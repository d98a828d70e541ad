#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/corpora/corpus.h"

namespace wkvq {

/// One field of every line of a JSON-lines file: the documents joined by text and tokenized once,
/// or tokenized one by one where BOS or EOS separates them.
class JsonlDataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  Corpus load(const DatasetContext& context) const override;

 private:
  /// BosRule and one more: in front of every document.
  enum class Bos { kTokenizer, kNone, kStart, kDocument };

  static constexpr const char* kDefaultSeparator = "\n\n";

  BosRule start_rule() const;
  bool one_by_one() const { return bos_ == Bos::kDocument || eos_; }
  std::vector<int32_t> encode_one_by_one(const DatasetContext& context,
                                         const std::vector<std::string>& documents) const;

  std::string path_;
  std::string field_ = "text";
  std::string separator_ = kDefaultSeparator;
  Bos bos_ = Bos::kTokenizer;
  bool eos_ = false;
  int64_t limit_ = 0;
};

}  // namespace wkvq
