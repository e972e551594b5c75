#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace chaos {

/// Empties the folder that hosts wrote in, and says what was there that is not a whole file: one
/// whose bytes have the digest that its name begins with. For when no runtime is there.
std::vector<std::string> clear_workspace(std::filesystem::path const& workspace);

} // namespace chaos
