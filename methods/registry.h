#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/calibrate/method.h"

namespace wkvq {

/// A fresh method with default options. Throws ConfigError naming the known ones.
std::unique_ptr<Method> make_method(const std::string& name);

std::vector<std::string> method_names();

}  // namespace wkvq
