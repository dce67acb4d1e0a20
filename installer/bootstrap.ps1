<#
From a Windows machine with nothing on it to setup-llm-dev: without git, make, Python, and without an administrator.

    powershell -ExecutionPolicy Bypass -File bootstrap.ps1 [OPTIONS] [WORDS FOR setup-llm-dev]     (see Show-Usage)

What it trusts: itself, and the sha256 of uv written below; so fetch it over https and read it before you run it.
A copy that was cut short anywhere does nothing: everything is in functions, and the last line calls them.
For Windows PowerShell 5.1 and PowerShell 7. The text is ASCII, since 5.1 reads scripts in the code page of the system.
#>

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'  # its bar makes downloads of 5.1 many times slower

$Script:Version = '0.1.0'
# False as long as no version is on the public index: nobody holds the name there yet, so nothing is asked by it.
$Script:Published = $false
# What setup-llm-dev knows without a command; anything else that begins with a dash is taken for a slip of the pen.
$Script:ItsOptions = @('-q', '--quiet', '-v', '--verbose', '-y', '--yes', '--json', '--no-color', '--home',
    '--workspace', '--version', '--machine', '--assume', '--torch', '--python', '--only', '--skip', '--require',
    '--pycharm-archive', '--pycharm-sha256', '--upgrade', '--no-wait',
    '--install-driver')
$Script:UvVersion = '0.13.9'
# Tag and sha256 of the files on the package index.
$Script:UvWheels = @{
    'AMD64' = @('win_amd64', '6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b')
    'ARM64' = @('win_arm64', 'eeb92051c2123b9730c46b04cc843cfa4bc7d7b0aec56df431a2215ef4cb0273')
}
# The public index of Python packages, in parts: its name is a default here and nothing more.
$Script:PublicIndex = 'https://' + 'py' + 'pi' + '.org/simple'
# In the order of manifests/catalog/mirrors.toml, where the source of each is named. They carry; the hashes decide.
$Script:IndexMirrors = @(
    'https://pypi.tuna.tsinghua.edu.cn/simple',
    'https://mirrors.aliyun.com/pypi/simple',
    'https://mirrors.huaweicloud.com/repository/pypi/simple'
)
$Script:PythonMirrors = @(
    'https://mirror.nju.edu.cn/github-release/astral-sh/python-build-standalone',
    'https://registry.npmmirror.com/-/binary/python-build-standalone'
)
$Script:PatienceSeconds = 5

function Show-Usage {
    Write-Host @'
usage: bootstrap.ps1 [OPTIONS] [WORDS FOR setup-llm-dev]

Installs setup-llm-dev for you alone (with uv, and a Python of uv's if you have none from 3.11 on),
then runs it with the words that are left; without words it sets up this machine by the default recipe.
The options stand before the words; what stands after -- is for setup-llm-dev, whatever it is.

  --dry-run     say what would be done; touch nothing, ask no host
  --no-run      install only
  --from PATH   install this wheel or checkout; needed until a version is published,
                but not where this script lies in a checkout
  --path        let uv add its folder for programs to your PATH; nothing else changes it
  --uninstall   remove what setup-llm-dev made, then the program; -y where nobody can be asked
  --help        this text

Honoured: UV_DEFAULT_INDEX, SETUP_LLM_DEV_MIRRORS_PYPI, PIP_INDEX_URL, pip.ini (index-url),
UV_PYTHON_INSTALL_MIRROR, HTTPS_PROXY, SETUP_LLM_DEV_VERSION, SETUP_LLM_DEV_SHA256 (of the wheel of that version).
Exit codes are those of setup-llm-dev: 2 wrong use, 3 refused, 4 unreachable, 5 wrong bytes, 6 something is missing.
'@
}

# One error, one exit code: thrown as an object that Invoke-Bootstrap turns into the code.
function Stop-With([int] $Code, [string] $Text) {
    $failure = New-Object System.Exception($Text)
    $failure.Data['code'] = $Code
    throw $failure
}

function Get-Shown([string] $Address) {
    return ($Address -replace '://[^/@]*@', '://')
}

function Get-Variable-Or([string] $Name, [string] $Default) {
    $value = [Environment]::GetEnvironmentVariable($Name)
    if ([string]::IsNullOrEmpty($value)) { return $Default }
    return $value
}

# --- this machine ---

function Get-Wheel {
    # A 32-bit or translated PowerShell says what it is itself; PROCESSOR_ARCHITEW6432 says what the machine is.
    $machine = Get-Variable-Or 'PROCESSOR_ARCHITEW6432' (Get-Variable-Or 'PROCESSOR_ARCHITECTURE' 'unknown')
    if (-not $Script:UvWheels.ContainsKey($machine)) { Stop-With 3 "there is no build for Windows on $machine" }
    $entry = $Script:UvWheels[$machine]
    return @{ Name = "uv-$($Script:UvVersion)-py3-none-$($entry[0]).whl"; Sha256 = $entry[1] }
}

function Get-Places {
    # uv's rules on Windows.
    $programs = Get-Variable-Or 'UV_TOOL_BIN_DIR' (Get-Variable-Or 'XDG_BIN_HOME' '')
    if ($programs -eq '') {
        $data = Get-Variable-Or 'XDG_DATA_HOME' ''
        if ($data -ne '') { $programs = Join-Path $data '..\bin' }
        else { $programs = Join-Path $env:USERPROFILE '.local\bin' }
    }
    $tools = Get-Variable-Or 'UV_TOOL_DIR' (Join-Path $env:APPDATA 'uv\tools')
    return @{ Programs = $programs; Program = (Join-Path $programs 'setup-llm-dev.exe');
        Tool = (Join-Path $tools 'setup-llm-dev') }
}

# --- where packages come from ---

function Get-IndexOfUser {
    $found = Get-Variable-Or 'SETUP_LLM_DEV_MIRRORS_PYPI' ''
    if ($found -eq 'none') { $found = '' }
    foreach ($name in @('UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'PIP_INDEX_URL')) {
        if ($found -eq '') { $found = Get-Variable-Or $name '' }
    }
    if ($found -eq '') { $found = Get-IndexOfPip }
    # uv takes a name before the address: name=https://...
    return ($found -replace '^[A-Za-z0-9._-]*=', '').TrimEnd('/')
}

function Get-IndexOfPip {
    $places = @((Get-Variable-Or 'PIP_CONFIG_FILE' ''), (Join-Path $env:APPDATA 'pip\pip.ini'),
        (Join-Path $env:USERPROFILE 'pip\pip.ini'), (Join-Path $env:ProgramData 'pip\pip.ini'))
    foreach ($place in $places) {
        if ($place -eq '' -or -not (Test-Path -LiteralPath $place -PathType Leaf)) { continue }
        $section = ''
        foreach ($line in (Get-Content -LiteralPath $place)) {
            if ($line -match '^\[(.+)\]') { $section = $Matches[1] }
            elseif (@('global', 'install') -contains $section -and $line -match '^\s*index[-_]url\s*[=:]\s*(\S+)') {
                return $Matches[1]
            }
        }
    }
    return ''
}

function Get-Candidates([string] $Index) {
    if ($Index -ne '') { return @($Index) }
    switch (Get-Variable-Or 'SETUP_LLM_DEV_MIRRORS_PRESET' 'auto') {
        'none' { return @($Script:PublicIndex) }
        'cn' { return @($Script:IndexMirrors) + @($Script:PublicIndex) }
        default { return @($Script:PublicIndex) + @($Script:IndexMirrors) }
    }
}

# --- bytes ---

function Get-Bytes([string] $Address, [string] $File, [int] $Seconds) {
    # The file, or a page's text where no file is named; TimeoutSec ends the wait for the first answer.
    $words = @{ Uri = $Address; UseBasicParsing = $true; TimeoutSec = $Seconds }
    $uri = New-Object System.Uri($Address)
    if ($uri.UserInfo -ne '') {
        $pair = [System.Text.Encoding]::UTF8.GetBytes([System.Uri]::UnescapeDataString($uri.UserInfo))
        $words['Uri'] = Get-Shown $Address
        $words['Headers'] = @{ Authorization = 'Basic ' + [Convert]::ToBase64String($pair) }
    }
    $proxy = Get-Variable-Or 'HTTPS_PROXY' (Get-Variable-Or 'ALL_PROXY' '')
    if ($proxy -ne '') { $words['Proxy'] = $proxy }
    if ($File -ne '') {
        Invoke-WebRequest @words -OutFile $File
        return ''
    }
    return [string] (Invoke-WebRequest @words).Content
}

function Get-Link([string] $Page, [string] $Name, [string] $Base) {
    $pattern = 'href\s*=\s*["'']([^"''#?]*' + [regex]::Escape($Name) + ')'
    $found = [regex]::Match($Page, $pattern, [System.Text.RegularExpressions.RegexOptions]::IgnoreCase)
    if (-not $found.Success) { return '' }
    $from = New-Object System.Uri($Base)
    $link = $found.Groups[1].Value -replace '&amp;', '&'
    $builder = New-Object System.UriBuilder((New-Object System.Uri($from, $link)))
    # A link on the index's own host keeps its user name and password.
    if ($from.UserInfo -ne '' -and $builder.Host -eq $from.Host -and $builder.UserName -eq '') {
        $parts = $from.UserInfo.Split(':', 2)
        $builder.UserName = $parts[0]
        if ($parts.Length -gt 1) { $builder.Password = $parts[1] }
    }
    return $builder.Uri.AbsoluteUri
}

function Save-Wheel([string] $Project, [string] $Name, [string] $Sha256, [string] $Folder, [string] $Index) {
    # Into Folder, from the first index that has the right bytes; returns that index.
    $wrong = $false
    foreach ($candidate in (Get-Candidates $Index)) {
        try {
            $base = "$candidate/$Project/"
            $link = Get-Link (Get-Bytes $base '' $Script:PatienceSeconds) $Name $base
            if ($link -eq '') {
                Write-Host "$(Get-Shown $candidate) has no $Name"
                continue
            }
            Write-Host "fetching $(Get-Shown $link)"
            $file = Join-Path $Folder $Name
            [void] (Get-Bytes $link $file 1800)
        }
        catch {
            Write-Host "$(Get-Shown $candidate) does not answer: $(Get-Shown $_.Exception.Message)"
            continue
        }
        $found = (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash.ToLowerInvariant()
        if ($found -eq $Sha256.ToLowerInvariant()) { return $candidate }
        Remove-Item -LiteralPath $file
        Write-Host "these are not the bytes that were wanted: sha256 $found instead of $Sha256; they were thrown away"
        $wrong = $true
    }
    if ($wrong) { Stop-With 5 "nobody who answered has the right $Name" }
    Stop-With 4 "$Name could not be had; set HTTPS_PROXY, or name your package index in UV_DEFAULT_INDEX"
}

function Expand-Uv([string] $Folder, [string] $Name) {
    $zip = Join-Path $Folder 'uv.zip'  # Expand-Archive of 5.1 takes no other ending
    Move-Item -LiteralPath (Join-Path $Folder $Name) -Destination $zip
    Expand-Archive -LiteralPath $zip -DestinationPath (Join-Path $Folder 'uv')
    return (Join-Path $Folder "uv\uv-$($Script:UvVersion).data\scripts\uv.exe")
}

# --- uv and the program ---

function Get-OwnUv {
    $found = Get-Command 'uv.exe' -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($null -eq $found) { return '' }
    $answer = [string] (& $found.Source --version)
    if ($answer -match '^uv (\d+)\.(\d+)' -and ([int] $Matches[1] -gt 0 -or [int] $Matches[2] -ge 9)) {
        return $found.Source
    }
    return ''
}

function Install-Program([hashtable] $Asked, [hashtable] $Wheel, [string] $Folder) {
    $index = $Asked.Index
    $uv = Get-OwnUv
    if ($uv -eq '') {
        $index = Save-Wheel 'uv' $Wheel.Name $Wheel.Sha256 $Folder $index
        $uv = Expand-Uv $Folder $Wheel.Name
    }
    else { Write-Host "using your uv: $uv" }
    $wanted = "setup-llm-dev==$($Asked.Version)"
    $sha256 = Get-Variable-Or 'SETUP_LLM_DEV_SHA256' ''
    if ($Asked.From -ne '') { $wanted = $Asked.From }
    elseif ($sha256 -ne '') {
        $name = "setup_llm_dev-$($Asked.Version)-py3-none-any.whl"
        $index = Save-Wheel 'setup-llm-dev' $name $sha256 $Folder $index
        $wanted = Join-Path $Folder $name
    }
    $words = @('tool', 'install', '--no-progress', '--python', '>=3.11')
    if ($wanted -notlike 'setup-llm-dev==*') { $words += @('--reinstall-package', 'setup-llm-dev') }
    if ($index -ne '' -and $index -ne $Script:PublicIndex) { $env:UV_DEFAULT_INDEX = $index }
    $env:UV_SYSTEM_CERTS = Get-Variable-Or 'UV_SYSTEM_CERTS' '1'
    $pythons = @('')
    if ($Script:IndexMirrors -contains $index -and (Get-Variable-Or 'UV_PYTHON_INSTALL_MIRROR' '') -eq '') {
        $pythons = @($Script:PythonMirrors) + @('')
    }
    foreach ($mirror in $pythons) {
        if ($mirror -ne '') { $env:UV_PYTHON_INSTALL_MIRROR = $mirror }
        elseif ($pythons.Length -gt 1) { Remove-Item 'Env:UV_PYTHON_INSTALL_MIRROR' -ErrorAction SilentlyContinue }
        & $uv @words $wanted
        if ($LASTEXITCODE -eq 0) { return }
    }
    Stop-With 6 'uv could not install setup-llm-dev, see above'
}

function Test-Installed([hashtable] $Asked, [hashtable] $Places) {
    if ($Asked.From -ne '' -or -not (Test-Path -LiteralPath $Places.Program)) { return $false }
    return ([string] (& $Places.Program --version)) -eq "setup-llm-dev $($Asked.Version)"
}

function Uninstall-Program([hashtable] $Asked, [hashtable] $Places) {
    if (-not (Test-Path -LiteralPath $Places.Program)) {
        Write-Host 'setup-llm-dev is not installed'
        return
    }
    if ($Asked.Dry) {
        Write-Host "would run: setup-llm-dev uninstall; then remove $($Places.Tool) and $($Places.Program)"
        return
    }
    $words = $Asked.Words
    $env:SETUP_LLM_DEV_BOOTSTRAP = '1'  # it need not tell how to remove the program: that is done here
    & $Places.Program uninstall @words
    if ($LASTEXITCODE -ne 0) { $Script:Code = $LASTEXITCODE; return }
    # It ends with 0 too where somebody said no; then there is something left, and it wants a yes from nobody.
    [void] ('' | & $Places.Program uninstall @words --json)
    if ($LASTEXITCODE -ne 0) {
        Write-Host 'the program stays'
        return
    }
    # A running program can't be removed here, so a copy of uv removes the environment that has it.
    $folder = New-Folder
    try {
        $uv = Join-Path $folder 'uv.exe'
        Copy-Item -LiteralPath (Join-Path $Places.Tool 'Scripts\uv.exe') -Destination $uv
        & $uv tool uninstall setup-llm-dev
        $Script:Code = $LASTEXITCODE
    }
    finally { Remove-Item -LiteralPath $folder -Recurse -Force }
}

function New-Folder {
    $folder = Join-Path ([System.IO.Path]::GetTempPath()) ('setup-llm-dev-bootstrap.' + [Guid]::NewGuid().ToString('N'))
    [void] (New-Item -ItemType Directory -Path $folder)
    return $folder
}

function Test-Ours([string] $Path) {
    if (Test-Path -LiteralPath $Path -PathType Container) {
        $project = Join-Path $Path 'pyproject.toml'
        if (-not (Test-Path -LiteralPath $project -PathType Leaf)) { return $false }
        return [bool] (Select-String -LiteralPath $project -Pattern '^name *= *"setup-llm-dev"' -Quiet)
    }
    return ((Split-Path -Leaf $Path) -like 'setup_llm_dev-*.whl')
}

function Get-Source([string] $Path) {
    if (-not (Test-Path -LiteralPath $Path)) { Stop-With 2 "there is no $Path" }
    if (-not (Test-Ours $Path)) {
        Stop-With 2 "$Path is neither a checkout of setup-llm-dev nor a wheel of it (setup_llm_dev-*.whl)"
    }
    return (Resolve-Path -LiteralPath $Path).ProviderPath
}

function Get-Beside {
    # The checkout that this script lies in; out of a pipe it lies nowhere.
    if (-not $Script:Folder) { return '' }
    $root = Split-Path -Parent $Script:Folder
    if ($root -and (Test-Ours $root)) { return $root }
    return ''
}

function Assert-Order([object[]] $Words) {
    # Options of this script among the words for setup-llm-dev would be lost there.
    foreach ($word in $Words) {
        if (@('--dry-run', '--no-run', '--path', '--uninstall', '--from') -contains ([string] $word).Split('=')[0]) {
            Stop-With 2 "$word is an option of this script: write it before the words for setup-llm-dev"
        }
    }
}

function Assert-Published([hashtable] $Asked) {
    # A name that nobody holds may be held by anybody tomorrow; bytes with a known hash may come.
    if ($Asked.From -ne '' -or $Script:Published -or (Get-Variable-Or 'SETUP_LLM_DEV_SHA256' '') -ne '') { return }
    Stop-With 2 ('no version of setup-llm-dev has been published yet; ' +
        'get its sources and name them: --from FOLDER')
}

function Read-Words([object[]] $Words) {
    $free = $false
    $asked = @{ Dry = $false; Run = $true; Path = $false; Remove = $false; Help = $false; From = ''; Words = @() }
    for ($i = 0; $i -lt $Words.Length; $i++) {
        $word = [string] $Words[$i]
        if ($word -eq '--') { $i++; $free = $true; break }
        elseif ($word -eq '--help' -or $word -eq '-h') { $asked.Help = $true }
        elseif ($word -eq '--dry-run') { $asked.Dry = $true }
        elseif ($word -eq '--no-run') { $asked.Run = $false }
        elseif ($word -eq '--path') { $asked.Path = $true }
        elseif ($word -eq '--uninstall') { $asked.Remove = $true }
        elseif ($word -eq '--from') {
            $i++
            if ($i -ge $Words.Length) { Stop-With 2 '--from needs a path' }
            $asked.From = Get-Source ([string] $Words[$i])
        }
        elseif ($word -like '--from=?*') { $asked.From = Get-Source $word.Substring(7) }
        elseif ($word -like '-*' -and $Script:ItsOptions -notcontains $word.Split('=')[0]) {
            Stop-With 2 "unknown option: $word; see --help"
        }
        else { break }
    }
    if ($i -lt $Words.Length) { $asked.Words = @($Words[$i..($Words.Length - 1)]) }
    if (-not $free) { Assert-Order $asked.Words }
    if ($asked.From -eq '' -and -not $asked.Remove) { $asked.From = Get-Beside }
    $asked.Version = Get-Variable-Or 'SETUP_LLM_DEV_VERSION' $Script:Version
    $asked.Index = Get-IndexOfUser
    return $asked
}

function Write-Plan([hashtable] $Asked, [hashtable] $Wheel, [hashtable] $Places) {
    $what = "setup-llm-dev $($Asked.Version)"
    if ($Asked.From -ne '') { $what = $Asked.From }
    $where = $Script:PublicIndex
    if ($Asked.Index -ne '') { $where = Get-Shown $Asked.Index }
    Write-Host "installing $what for this user alone, without an administrator"
    Write-Host "  from:     $where"
    Write-Host "  program:  $($Places.Program)"
    Write-Host "  its home: $($Places.Tool)"
    Write-Host "  fetcher:  $($Wheel.Name), sha256 $($Wheel.Sha256), only where no uv is installed; removed again"
    if ($Asked.Run) { Write-Host "  then:     setup-llm-dev $($Asked.Words -join ' ')" }
}

function Invoke-Main([object[]] $Words) {
    $asked = Read-Words $Words
    if ($asked.Help) { Show-Usage; return }
    $wheel = Get-Wheel
    $places = Get-Places
    if ($asked.Remove) { Uninstall-Program $asked $places; return }
    $installed = Test-Installed $asked $places
    if (-not $installed) { Assert-Published $asked }
    Write-Plan $asked $wheel $places
    if ($asked.Dry) { return }
    if (-not $installed) {
        $folder = New-Folder
        try { Install-Program $asked $wheel $folder }
        finally { Remove-Item -LiteralPath $folder -Recurse -Force }
    }
    if ($asked.Path) {
        $env:UV_TOOL_BIN_DIR = $places.Programs
        & (Join-Path $places.Tool 'Scripts\uv.exe') tool update-shell
    }
    if (-not $asked.Run) { return }
    # Nothing takes its output: it has the terminal to ask and to draw at.
    $words = $asked.Words
    & $places.Program @words
    $Script:Code = $LASTEXITCODE
}

function Invoke-Bootstrap([object[]] $Words) {
    # 5.1 offers old TLS alone unless told otherwise.
    $tls = [Net.ServicePointManager]::SecurityProtocol
    [Net.ServicePointManager]::SecurityProtocol = $tls -bor [Net.SecurityProtocolType]::Tls12
    try { Invoke-Main $Words }
    catch {
        [Console]::Error.WriteLine('error: ' + (Get-Shown $_.Exception.Message))
        $Script:Code = 6
        if ($_.Exception.Data.Contains('code')) { $Script:Code = $_.Exception.Data['code'] }
    }
}

$Script:Code = 0
$Script:Words = @($args)
$Script:Folder = $PSScriptRoot
# Out of a pipe (`irm ... | iex`) there is no file: `exit` would close the window of whoever typed that.
& {
    Invoke-Bootstrap $Script:Words
    if ($PSCommandPath) { exit $Script:Code }
    $global:LASTEXITCODE = $Script:Code
}
