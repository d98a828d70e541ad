#pragma once

#include <string>

#include "datasets/corpora/dataset.h"

namespace wkvq {

/// Token ids from a file, as they are: 1-D is running text, 2-D is [windows, context].
class TokensDataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  Corpus load(const DatasetContext& context) const override;

 private:
  bool is_npy() const;

  std::string path_;
  std::string tensor_;
};

}  // namespace wkvq
