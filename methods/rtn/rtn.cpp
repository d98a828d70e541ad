#include "methods/rtn/rtn.h"

namespace wkvq {

std::string Rtn::summary() const {
  return "round to nearest: weights on min-max grids, keys and values by the codec; no training";
}

}  // namespace wkvq
