// A file `faults` beside the library says what is to go wrong, a word and a number a line:
//   devices N        how many there are (1)
//   driver N         the version it tells, as 12040
//   ptx N            every module is refused with error N
//   memory N         bytes that all allocations of a process may take together
//   oom_at N         the N-th allocation of a process fails
//   lose_at N        the N-th launch of a process loses the device
//   lose_width N     a launch over frames of that width loses it
//   lose_device N    only where the process has opened that device
//   nvdec_refuses N  see nvcuvid.cpp
//   nvdec_fails_at N the same
#pragma once
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <string>

struct Faults {
    long devices = 1, driver = 12040, ptx = 0, memory = -1, oom_at = -1, lose_at = -1, lose_width = -1, lose_device = -1,
         nvdec_refuses = -1, nvdec_fails_at = -1;

    Faults() {
        const std::map<std::string, long *> words = {
            {"devices", &devices}, {"driver", &driver},   {"ptx", &ptx},
            {"memory", &memory},   {"oom_at", &oom_at},   {"lose_at", &lose_at},
            {"lose_width", &lose_width}, {"lose_device", &lose_device},
            {"nvdec_refuses", &nvdec_refuses}, {"nvdec_fails_at", &nvdec_fails_at},
        };
        Dl_info own;
        if (!dladdr(const_cast<Faults *>(this), &own) || !own.dli_fname) return;
        std::string path(own.dli_fname);
        FILE *file = fopen((path.substr(0, path.rfind('/') + 1) + "faults").c_str(), "r");
        if (!file) return;
        char word[64];
        long number;
        while (fscanf(file, "%63s %ld", word, &number) == 2) {
            auto known = words.find(word);
            if (known == words.end()) abort();
            *known->second = number;
        }
        fclose(file);
    }
};

extern const Faults faults;
