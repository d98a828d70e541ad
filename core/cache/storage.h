#pragma once

namespace wkvq {

/// How what is quantized is held: beside what it decodes to, or as codes alone.
enum class Storage { kSimulated, kPacked };

}  // namespace wkvq
