#pragma once

#include <exception>
#include <string>

namespace wkvq {

/// What a user is told of an error that ends a run: without libtorch's stack; where memory of the
/// machine or of a device ran out, with the settings that need less of it.
std::string failure_text(const std::exception& error);

/// From now on libtorch throws where it finds no memory, which by itself ends the process of a C++
/// program.
void throw_where_memory_is_out();

}  // namespace wkvq
