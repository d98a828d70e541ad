#include "methods/omniquant/omniquant.h"

namespace wkvq {

std::string OmniQuant::summary() const {
  return "OmniQuant: learned weight clipping and equivalent transformation, trained block by block";
}

}  // namespace wkvq
