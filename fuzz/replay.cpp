// The same targets without a fuzzer: every file of the folders and every file named on the command line is read once.
// What has broken one stays in fuzz/crashers/ and is tried by every build, with whatever compiler.

#include "fuzz/target.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

int main(int count, char** words)
{
    namespace fs = std::filesystem;
    std::vector<fs::path> files;
    for (int i = 1; i < count; ++i) {
        const fs::path path{words[i]};
        if (!fs::is_directory(path)) {
            if (fs::exists(path))
                files.push_back(path);
            continue;
        }
        for (const auto& entry : fs::recursive_directory_iterator{path})
            if (entry.is_regular_file())
                files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
        std::fprintf(stderr, "%s\n", file.c_str());
        std::ifstream stream{file, std::ios::binary};
        const std::string bytes{std::istreambuf_iterator<char>{stream}, {}};
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    std::fprintf(stderr, "%zu inputs\n", files.size());
    return files.empty() ? 1 : 0;
}
