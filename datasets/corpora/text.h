#pragma once

#include <string>

#include "datasets/corpora/corpus.h"

namespace wkvq {

/// A UTF-8 file as one string, tokenized once.
class TextDataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  Corpus load(const DatasetContext& context) const override;

 private:
  std::string path_;
  BosRule bos_ = BosRule::kTokenizer;
};

}  // namespace wkvq
