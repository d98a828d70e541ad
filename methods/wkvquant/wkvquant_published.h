#pragma once

#include "methods/common/learned_method.h"

namespace wkvq {

/// WKVQuant with the settings that are known of its publication (arXiv 2402.12065, read through
/// secondary notes), where WkvQuant has ours: channels at the output of the key projection, before
/// RoPE, each with a scale of its own; groups of a token and head around their mean; the loss after
/// block i + 4, that is k = 5 blocks with the one that is trained; 5 epochs.
class WkvQuantPublished final : public LearnedMethod {
 public:
  WkvQuantPublished();
  std::string summary() const override;

 protected:
  std::string not_stated() const override;
};

}  // namespace wkvq
