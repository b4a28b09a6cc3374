-- not run: a modulefile for Lmod that no test loads; see docs/facility.md
-- One file a version, named after it: modulefiles/frostpick/0.1.0.lua
local version = myModuleVersion()
local base = pathJoin("/software/frostpick", version)

help([[Deep particle picking for cryo-EM. Try: frostpick --help]])
whatis("Name: frostpick")
whatis("Version: " .. version)

conflict("frostpick")
-- The programs alone, not python and pip, which are the user's own.
prepend_path("PATH", pathJoin(base, "programs"))
setenv("FROSTPICK_MODELS", "/software/frostpick/models")
setenv("FROSTPICK_SPOOL", pathJoin("/scratch", os.getenv("USER"), "frostpick"))
