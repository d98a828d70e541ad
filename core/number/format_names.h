#pragma once

#include <string>

#include "core/number/number_format.h"

namespace wkvq {

/// The format of `name`; of whole numbers kInteger. ConfigError where there is none.
FormatId format_named(const std::string& name);

}  // namespace wkvq
